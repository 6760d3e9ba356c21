"""From a Service to its ServicePorts, in each family on its own: docs/reference/services.md sections 2 to 10 and 15."""

from itertools import product
from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceType, Unserved, cluster_ip_of, service_ports, why_unserved
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
        ({"ports": ()}, None),
    ],
)
def test_some_services_have_no_ports(fields: dict[str, Any], why: Unserved | None) -> None:
    its = service(**fields)
    assert why_unserved(its, IPV4) == why
    assert service_ports(its, IPV4) == ()


@pytest.mark.parametrize(
    ("cluster_ip", "cluster_ips", "families", "expected"),
    [
        # Objects of very old API servers have no ipFamilies.
        ("10.0.0.1", (), (), ("10.0.0.1", None)),
        ("2000::1", (), (), (None, "2000::1")),
        ("10.0.0.1", ("10.0.0.1", "fd00::1"), (), ("10.0.0.1", None)),
        ("10.0.0.1", ("10.0.0.1", "fd00::1"), ("IPv4", "IPv6"), ("10.0.0.1", "fd00::1")),
        ("fd00::1", ("fd00::1", "10.0.0.1"), ("IPv6", "IPv4"), ("10.0.0.1", "fd00::1")),
        ("10.0.0.1", ("10.0.0.1",), ("IPv4", "IPv6"), ("10.0.0.1", None)),
        ("172.30.0.041", ("172.30.0.041",), ("IPv4",), ("172.30.0.41", None)),
        ("FD00::0A", ("FD00::0A",), ("IPv6",), (None, "fd00::a")),
        ("10.0.0.1", (), ("IPv4",), (None, None)),
        ("bogus", (), (), (None, None)),
        ("10.0.0.1", ("10.0.0.1",), ("IPv6",), (None, None)),
    ],
)
def test_the_cluster_ip_of_each_family(
    cluster_ip: str, cluster_ips: tuple[str, ...], families: tuple[str, ...], expected: tuple[str | None, ...]
) -> None:
    its = service(cluster_ip=cluster_ip, cluster_ips=cluster_ips, ip_families=families)
    for family, text in zip((IPV4, IPV6), expected, strict=True):
        assert cluster_ip_of(its, family) == text
        assert [each.cluster_ip for each in service_ports(its, family)] == ([] if text is None else [text])


@pytest.mark.parametrize(
    ("ranges", "ipv4", "ipv6"),
    [
        ((), [], []),
        (("10.0.0.0/8", "::/0"), ["10.0.0.0/8"], []),
        (("0.0.0.0/0", "10.0.0.0/8", "fd00::/8"), [], ["fd00::/8"]),
        (("10.0.0.0/8", "192.168.0.0/16"), ["10.0.0.0/8", "192.168.0.0/16"], []),
    ],
)
def test_source_ranges_restrict_one_family(ranges: tuple[str, ...], ipv4: list[str], ipv6: list[str]) -> None:
    its = service(
        cluster_ip="10.0.0.1",
        cluster_ips=("10.0.0.1", "fd00::1"),
        ip_families=("IPv4", "IPv6"),
        source_ranges=tuple(map(cidr, ranges)),
    )
    found = {family: [cidr.text for cidr in service_ports(its, family)[0].source_ranges] for family in Family}
    assert found == {IPV4: ipv4, IPV6: ipv6}


@pytest.mark.parametrize(
    ("internal_local", "external_local", "accessible"), list(product((False, True), repeat=3)), ids=str
)
def test_which_endpoints_the_policies_need(*, internal_local: bool, external_local: bool, accessible: bool) -> None:
    """The table of docs/reference/services.md section 8: the cluster's for who asks under policy Cluster, and so on."""
    its = service_port(
        type=ServiceType.NODE_PORT,
        ports=(port(node_port=30000 if accessible else 0),),
        internal_traffic_local=internal_local,
        external_traffic_local=external_local,
    )
    policies = {internal_local, external_local} if accessible else {internal_local}
    assert its.uses_local_endpoints is (True in policies)
    assert its.uses_cluster_endpoints is (False in policies or accessible)


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
def test_the_external_policy_needs_an_outside(kind: ServiceType, external_ips: tuple[str, ...], *, local: bool) -> None:
    fields: dict[str, Any] = {"type": kind, "external_ips": tuple(map(ip, external_ips))}
    assert service_port(external_traffic_local=True, **fields).external_policy_local is local
    assert service_port(external_traffic_local=False, **fields).external_policy_local is False


@pytest.mark.parametrize(
    ("kind", "local", "expected"),
    [
        (ServiceType.LOAD_BALANCER, True, 31000),
        (ServiceType.LOAD_BALANCER, False, 0),
        (ServiceType.NODE_PORT, True, 0),
        (ServiceType.CLUSTER_IP, True, 0),
    ],
)
def test_only_local_load_balancers_have_health_checks(kind: ServiceType, *, local: bool, expected: int) -> None:
    its = service_port(type=kind, external_traffic_local=local, health_check_node_port=31000)
    assert its.health_check_node_port == expected
