"""Services from the wire: docs/reference/services.md sections 5 to 11 and 15."""

from typing import Any

import msgspec
import pytest

from pykubeproxy.cluster import translate, wire
from pykubeproxy.cluster.translate import BadObject, Ignored
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol, Service, ServiceKey, service_ports
from tests.builders import cidr, port
from tests.cluster.manifest_text import GONE, service

V4, V6, OTHER_V4 = "10.96.1.4", "fd00:10:96::d", "10.96.1.5"
BOTH = {Family.IPV4: V4, Family.IPV6: V6}
FOREIGN = {"service.kubernetes.io/service-proxy-name": ""}


def translated(obj: dict[str, Any]) -> tuple[Service, list[str]]:
    made, ignored = translate.service(msgspec.convert(obj, wire.Service))
    return made, list(map(str, ignored))


def made(**fields: Any) -> Service:
    its, ignored = translated(service(**fields))
    assert ignored == []
    return its


def served(its: Service) -> dict[Family, str]:
    return {family: each.cluster_ip for family in Family for each in service_ports(its, family)}


def test_example_a() -> None:
    ingress = [{"ip": "1.2.3.4"}, {"ip": "2001:db8::44", "ipMode": "Proxy"}, {"hostname": "x.example"}]
    its, ignored = translated(
        service(
            type="LoadBalancer",
            clusterIP="172.30.0.9",
            ipFamilies=["IPv4", "IPv6"],
            clusterIPs=["172.30.0.9", "fd00:172:30::9"],
            ports=[{"name": "http", "port": 80, "nodePort": 30080, "protocol": "TCP"}],
            externalIPs=["192.168.099.022", "2001:db8::5", "bogus", "", "  "],
            loadBalancerSourceRanges=[" 203.0.113.7/24", "2001:db8::/32", ""],
            status__loadBalancer={"ingress": ingress},
        )
    )
    assert ignored == ["spec.externalIPs[2]: 'bogus' is not an IP address"]
    (ipv4,), (ipv6,) = service_ports(its, Family.IPV4), service_ports(its, Family.IPV6)
    assert (ipv4.cluster_ip, ipv4.external_ips) == ("172.30.0.9", ("192.168.99.22",))
    assert (ipv4.load_balancer_ips, ipv4.source_ranges) == (("1.2.3.4",), (cidr("203.0.113.0/24"),))
    assert (ipv6.cluster_ip, ipv6.external_ips) == ("fd00:172:30::9", ("2001:db8::5",))
    assert (ipv6.load_balancer_ips, ipv6.source_ranges) == ((), (cidr("2001:db8::/32"),))
    assert (ipv4.node_port, ipv6.node_port) == (30080, 30080)


@pytest.mark.parametrize(
    ("external_ips", "is_local"), [(["203.0.113.9"], True), (["localhost"], True), ([" "], True), ([], False)]
)
def test_any_external_ip_makes_the_traffic_policy_count(external_ips: list[str], *, is_local: bool) -> None:
    """Example C; it need not even be an address. Examples B, D and E are in tests/model."""
    its, _ = translated(service(type="ClusterIP", externalIPs=external_ips, externalTrafficPolicy="Local"))
    assert its.external_policy_local is is_local


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"clusterIPs": [V4, V6]}, BOTH),
        ({"clusterIP": V6, "clusterIPs": [V6, V4]}, BOTH),
        ({"clusterIPs": [V4, V6], "ipFamilies": ["IPv4"]}, BOTH),
        ({"clusterIPs": [V6], "ipFamilyPolicy": "PreferDualStack"}, {Family.IPV6: V6}),
        ({"clusterIP": V4, "ipFamilies": ["IPv4"]}, {Family.IPV4: V4}),
        ({"clusterIPs": ["None"], "ipFamilies": ["IPv4", "IPv6"]}, {}),
        ({"clusterIP": "None", "ipFamilyPolicy": "RequireDualStack"}, {}),
        ({"type": "ExternalName", "clusterIP": "", "clusterIPs": []}, {}),
    ],
)
def test_families_are_those_of_the_addresses_as_the_api_server_fills_them_in(
    fields: dict[str, Any], expected: dict[Family, str]
) -> None:
    assert served(made(**{"clusterIP": GONE} | fields)) == expected


@pytest.mark.parametrize(
    ("fields", "expected", "told"),
    [
        (
            {"clusterIP": OTHER_V4, "clusterIPs": [V4, V6]},
            {Family.IPV4: OTHER_V4},
            f"spec.clusterIP: '{OTHER_V4}' is not clusterIPs[0], '{V4}'; clusterIP is used",
        ),
        (
            {"clusterIP": V6, "clusterIPs": [V4, V6], "ipFamilies": ["IPv4", "IPv6"]},
            BOTH,
            f"spec.clusterIP: '{V6}' is not clusterIPs[0], '{V4}'; clusterIPs is used",
        ),
        (
            {"clusterIPs": [V4], "ipFamilies": ["IPv6"]},
            {},
            f"spec.clusterIPs[0]: '{V4}' is not IPv6, as ipFamilies[0] says; it is not served",
        ),
        (
            {"clusterIPs": [V4], "ipFamilies": ["IPv4", "IPv6"]},
            {Family.IPV4: V4},
            "spec.ipFamilies[1]: IPv6 has no address in clusterIPs; nothing is served in it",
        ),
        (
            {"clusterIP": V4, "ipFamilyPolicy": "RequireDualStack"},
            {Family.IPV4: V4},
            "spec.ipFamilyPolicy: RequireDualStack, but there is one address; only that family is served",
        ),
        (
            {"clusterIPs": [V4, "None"]},
            {Family.IPV4: V4},
            "spec.clusterIPs: None beside an address; a Service is headless or has addresses",
        ),
    ],
)
def test_what_contradicts_itself_about_addresses_is_said(
    fields: dict[str, Any], expected: dict[Family, str], told: str
) -> None:
    given: dict[str, Any] = {"clusterIP": GONE} | fields
    its, ignored = translated(service(**given))
    assert (served(its), ignored) == (expected, [told])


def test_defaults() -> None:
    """A name may begin with a digit since Kubernetes v1.37; what section 11 says is ignored changes nothing."""
    addresses: dict[str, Any] = {"cluster_ip": V4, "cluster_ips": (V4,), "ip_families": ("IPv4",)}
    plain = Service(key=ServiceKey("ns", "3scale"), ports=(port("", 80, 0, Protocol.TCP),), **addresses)
    unset = {"port": 80, "protocol": None, "name": None, "nodePort": None, "targetPort": "web"}
    ignored = {"trafficDistribution": "PreferClose", "loadBalancerIP": "9.9.9.9", "publishNotReadyAddresses": True}
    assert made(metadata__name="3scale", clusterIP=V4, ports=[{"port": 80}]) == plain
    assert made(metadata__name="3scale", clusterIP=V4, ports=[unset], **ignored) == plain
    assert made(ports=None).ports == ()
    dns = [{"name": "dns", "port": 53}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    assert made(ports=dns).ports == (port("dns", 53), port("dns", 53, protocol=Protocol.UDP))


@pytest.mark.parametrize(
    ("status", "found"),
    [
        *(
            ({"loadBalancer": {"ingress": [{"ip": "1.2.3.004", "ipMode": it}]}}, ["1.2.3.4"])
            for it in (None, "VIP", "")
        ),
        ({"loadBalancer": {"ingress": [{"ip": "bogus"}, {"ip": ""}]}}, []),
        *((status, []) for status in (None, {}, {"loadBalancer": None}, {"loadBalancer": {"ingress": None}})),
    ],
)
def test_ingress_in_vip_mode_counts(status: dict[str, Any] | None, found: list[str]) -> None:
    its, _ = translated({**service(), "status": status})
    assert [each.text for each in its.load_balancer_ips] == found


def test_every_source_range_malformed_is_no_restriction() -> None:
    its, ignored = translated(service(loadBalancerSourceRanges=["10.0.0.0", " fd00::/200 "]))
    assert its.source_ranges == ()
    assert ignored == [
        "spec.loadBalancerSourceRanges[0]: '10.0.0.0' is not a CIDR such as 10.0.0.0/8",
        "spec.loadBalancerSourceRanges[1]: ' fd00::/200 ' is not a CIDR such as 10.0.0.0/8",
    ]


@pytest.mark.parametrize(
    ("fields", "is_told"), [({}, True), ({"healthCheckNodePort": 30500}, False), ({"metadata__labels": FOREIGN}, False)]
)
def test_a_load_balancer_without_a_port_for_its_health_checks_is_an_error(
    fields: dict[str, Any], *, is_told: bool
) -> None:
    its = service(**{"type": "LoadBalancer", "externalTrafficPolicy": "Local"} | fields)
    why = "0, so that no load balancer can ask under externalTrafficPolicy Local whether this node has endpoints"
    expected = (Ignored("spec.healthCheckNodePort", why, is_error=True),) if is_told else ()
    assert translate.service(msgspec.convert(its, wire.Service))[1] == expected


NO_LABEL = "is not a DNS label (a-z, 0-9 and '-', at most 63 characters)"
NO_IP = 'is not an IP address, "None" or empty'
ONE_NAME = "spec.ports: two ports share a name and protocol; each port of a Service needs its own name"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        *(
            ({"metadata__name": name}, f"metadata.name: {name!r} {NO_LABEL}")
            for name in ("", "Web", "a" * 64, "a.", "a\n", 'a" -j ACCEPT', "-a", "a-", "\u00e4")
        ),
        *(({"metadata__namespace": name}, f"metadata.namespace: {name!r} {NO_LABEL}") for name in ("", "a/b")),
        ({"clusterIP": "bogus"}, f"spec.clusterIP: 'bogus' {NO_IP}"),
        ({"clusterIPs": ["10.96.0.1", "bogus"]}, f"spec.clusterIPs[1]: 'bogus' {NO_IP}"),
        ({"type": "Weird"}, "spec.type: 'Weird' is not one of ClusterIP, NodePort, LoadBalancer, ExternalName"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port: 0 is not within 1 to 65535"),
        ({"ports": [{"port": 80, "nodePort": 65536}]}, "spec.ports[0].nodePort: 65536 is not within 0 to 65535"),
        ({"ports": [{"port": 80, "protocol": "tcp"}]}, "spec.ports[0].protocol: 'tcp' is not one of TCP, UDP, SCTP"),
        ({"ports": [{"port": 80, "name": 'x" -j'}]}, f"spec.ports[0].name: 'x\" -j' {NO_LABEL}"),
        ({"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 81}]}, ONE_NAME),
        ({"sessionAffinity": "Client"}, "spec.sessionAffinity: 'Client' is not one of None, ClientIP"),
        ({"externalTrafficPolicy": "local"}, "spec.externalTrafficPolicy: 'local' is not one of Cluster, Local"),
        *(
            (
                {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}}},
                f"spec.sessionAffinityConfig.clientIP.timeoutSeconds: {seconds} is not within 1 to 86400",
            )
            for seconds in (0, 86401)
        ),
    ],
)
def test_bad(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadObject) as caught:
        translated(service(**fields))
    assert str(caught.value) == problem
