"""From a Service to its ServicePorts, in each family on its own: docs/reference/services.md sections 2 to 10 and 15."""

from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol, ServiceType, Unserved, cluster_ip_of, service_ports, why_unserved
from tests.builders import cidr, ip, port, service, service_port

IPV4, IPV6 = Family.IPV4, Family.IPV6


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"cluster_ip": "None"}, Unserved.HEADLESS),
        ({"cluster_ip": ""}, Unserved.NO_CLUSTER_IP),
        ({"type": ServiceType.EXTERNAL_NAME}, Unserved.EXTERNAL_NAME),
        ({"has_foreign_proxy": True}, Unserved.FOREIGN_PROXY),
        ({"cluster_ip": "fd00::1"}, Unserved.NO_CLUSTER_IP_OF_FAMILY),
        ({"cluster_ip": "", "cluster_ips": ("10.0.0.1",), "ip_families": ("IPv4",)}, Unserved.NO_CLUSTER_IP),
    ],
)
def test_some_services_have_no_ports(fields: dict[str, Any], why: Unserved) -> None:
    its = service(**fields)
    assert why_unserved(its, IPV4) == why
    assert service_ports(its, IPV4) == ()


def test_others_do() -> None:
    assert why_unserved(service(), IPV4) is None
    assert why_unserved(service(ports=()), IPV4) is None
    assert service_ports(service(ports=()), IPV4) == ()


@pytest.mark.parametrize(
    ("cluster_ip", "cluster_ips", "families", "expected"),
    [
        # Objects of very old API servers have no ipFamilies.
        ("10.0.0.1", (), (), {IPV4: "10.0.0.1", IPV6: None}),
        ("2000::1", (), (), {IPV4: None, IPV6: "2000::1"}),
        ("10.0.0.1", ("10.0.0.1", "fd00::1"), (), {IPV4: "10.0.0.1", IPV6: None}),
        ("10.0.0.1", ("10.0.0.1", "fd00::1"), ("IPv4", "IPv6"), {IPV4: "10.0.0.1", IPV6: "fd00::1"}),
        ("fd00::1", ("fd00::1", "10.0.0.1"), ("IPv6", "IPv4"), {IPV4: "10.0.0.1", IPV6: "fd00::1"}),
        ("10.0.0.1", ("10.0.0.1",), ("IPv4", "IPv6"), {IPV4: "10.0.0.1", IPV6: None}),
        ("172.30.0.041", ("172.30.0.041",), ("IPv4",), {IPV4: "172.30.0.41", IPV6: None}),
        ("FD00::0A", ("FD00::0A",), ("IPv6",), {IPV4: None, IPV6: "fd00::a"}),
        ("10.0.0.1", (), ("IPv4",), {IPV4: None, IPV6: None}),
        ("bogus", (), (), {IPV4: None, IPV6: None}),
        ("10.0.0.1", ("10.0.0.1",), ("IPv6",), {IPV4: None, IPV6: None}),
    ],
)
def test_the_cluster_ip_of_each_family(
    cluster_ip: str, cluster_ips: tuple[str, ...], families: tuple[str, ...], expected: dict[Family, str | None]
) -> None:
    its = service(cluster_ip=cluster_ip, cluster_ips=cluster_ips, ip_families=families)
    assert {family: cluster_ip_of(its, family) for family in Family} == expected
    assert {family: bool(service_ports(its, family)) for family in Family} == {
        family: text is not None for family, text in expected.items()
    }


def test_one_port_each_in_the_order_of_the_object() -> None:
    specs = (port("dns", 53, protocol=Protocol.UDP), port("dns-tcp", 53), port("sctp", 53, 30053, Protocol.SCTP))
    its = service_ports(service("kube-system/kube-dns", "10.96.0.10", ports=specs), IPV4)
    assert [(each.name, each.protocol, each.port, each.node_port) for each in its] == [
        ("dns", "UDP", 53, 0),
        ("dns-tcp", "TCP", 53, 0),
        ("sctp", "SCTP", 53, 30053),
    ]
    assert [each.title for each in its] == [
        "kube-system/kube-dns:dns",
        "kube-system/kube-dns:dns-tcp",
        "kube-system/kube-dns:sctp",
    ]
    assert service_port("ns1/svc1", ports=(port(""),)).title == "ns1/svc1"


def test_a_dual_stack_load_balancer() -> None:
    """docs/reference/services.md example A, without the parsing."""
    its = service(
        "a/web",
        "172.30.0.9",
        type=ServiceType.LOAD_BALANCER,
        cluster_ips=("172.30.0.9", "fd00:172:30::9"),
        ip_families=("IPv4", "IPv6"),
        ports=(port("http", 80, 30080),),
        external_ips=(ip("192.168.99.22"), ip("2001:db8::5")),
        source_ranges=(cidr("203.0.113.0/24"), cidr("2001:db8::/32")),
        load_balancer_ips=(ip("1.2.3.4"),),
    )
    (ipv4,), (ipv6,) = service_ports(its, IPV4), service_ports(its, IPV6)
    assert (ipv4.cluster_ip, ipv4.external_ips, ipv4.load_balancer_ips) == (
        "172.30.0.9",
        ("192.168.99.22",),
        ("1.2.3.4",),
    )
    assert (ipv6.cluster_ip, ipv6.external_ips, ipv6.load_balancer_ips) == ("fd00:172:30::9", ("2001:db8::5",), ())
    assert [cidr.text for cidr in ipv4.source_ranges] == ["203.0.113.0/24"]
    assert [cidr.text for cidr in ipv6.source_ranges] == ["2001:db8::/32"]
    assert ipv4.node_port == ipv6.node_port == 30080


@pytest.mark.parametrize(
    ("ranges", "ipv4", "ipv6"),
    [
        ((), [], []),
        (("10.0.0.0/8",), ["10.0.0.0/8"], []),
        (("10.0.0.0/8", "::/0"), ["10.0.0.0/8"], []),
        (("0.0.0.0/0", "10.0.0.0/8", "fd00::/8"), [], ["fd00::/8"]),
        (("10.0.0.0/8", "0.0.0.0/0"), [], []),
        (("10.0.0.0/8", "192.168.0.0/16"), ["10.0.0.0/8", "192.168.0.0/16"], []),
    ],
)
def test_source_ranges_restrict_each_family_on_its_own(
    ranges: tuple[str, ...], ipv4: list[str], ipv6: list[str]
) -> None:
    its = service(
        cluster_ip="10.0.0.1",
        cluster_ips=("10.0.0.1", "fd00::1"),
        ip_families=("IPv4", "IPv6"),
        source_ranges=tuple(map(cidr, ranges)),
    )
    found = {family: [cidr.text for cidr in service_ports(its, family)[0].source_ranges] for family in Family}
    assert found == {IPV4: ipv4, IPV6: ipv6}


@pytest.mark.parametrize(
    ("kind", "external_ips", "local"),
    [
        (ServiceType.LOAD_BALANCER, (), True),
        (ServiceType.NODE_PORT, (), True),
        (ServiceType.CLUSTER_IP, (), False),
        (ServiceType.CLUSTER_IP, ("203.0.113.9",), True),
        (ServiceType.CLUSTER_IP, ("2001:db8::9",), True),
    ],
)
def test_external_traffic_policy_counts_where_there_is_an_outside(
    kind: ServiceType, external_ips: tuple[str, ...], *, local: bool
) -> None:
    fields: dict[str, Any] = {"type": kind, "external_ips": tuple(map(ip, external_ips))}
    assert service_port(external_traffic_local=True, **fields).external_policy_local is local
    assert service_port(external_traffic_local=False, **fields).external_policy_local is False


def test_a_node_port_left_in_a_cluster_ip_service_counts() -> None:
    """docs/reference/services.md example B."""
    its = service_port(ports=(port(node_port=123),), external_traffic_local=True)
    assert its.node_port == 123
    assert its.externally_accessible
    assert not its.external_policy_local


@pytest.mark.parametrize(
    ("fields", "accessible"),
    [
        ({}, False),
        ({"ports": (port(node_port=30000),)}, True),
        ({"external_ips": (ip("192.0.2.1"),)}, True),
        ({"load_balancer_ips": (ip("192.0.2.1"),)}, True),
        ({"external_ips": (ip("2001:db8::1"),), "load_balancer_ips": (ip("2001:db8::1"),)}, False),
    ],
)
def test_externally_accessible(fields: dict[str, Any], *, accessible: bool) -> None:
    assert service_port(**fields).externally_accessible is accessible


@pytest.mark.parametrize(
    ("internal_local", "external_local", "accessible", "uses_cluster", "uses_local"),
    [
        (False, False, False, True, False),
        (False, True, False, True, False),
        (True, False, False, False, True),
        (True, True, False, False, True),
        (False, False, True, True, False),
        (False, True, True, True, True),
        (True, False, True, True, True),
        (True, True, True, True, True),
    ],
)
def test_which_endpoints_the_policies_need(
    *, internal_local: bool, external_local: bool, accessible: bool, uses_cluster: bool, uses_local: bool
) -> None:
    """The table of docs/reference/services.md section 8."""
    its = service_port(
        type=ServiceType.NODE_PORT,
        ports=(port(node_port=30000 if accessible else 0),),
        internal_traffic_local=internal_local,
        external_traffic_local=external_local,
    )
    assert (its.uses_cluster_endpoints, its.uses_local_endpoints) == (uses_cluster, uses_local)


@pytest.mark.parametrize(
    ("kind", "local", "expected"),
    [
        (ServiceType.LOAD_BALANCER, True, 31000),
        (ServiceType.LOAD_BALANCER, False, 0),
        (ServiceType.NODE_PORT, True, 0),
        (ServiceType.CLUSTER_IP, True, 0),
    ],
)
def test_a_health_check_node_port_belongs_to_local_load_balancers(
    kind: ServiceType, *, local: bool, expected: int
) -> None:
    its = service_port(type=kind, external_traffic_local=local, health_check_node_port=31000)
    assert its.health_check_node_port == expected


def test_affinity_is_the_services() -> None:
    assert service_port(affinity_seconds=10800).affinity_seconds == 10800
    assert service_port().affinity_seconds is None
