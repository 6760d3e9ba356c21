"""Services from the wire: docs/reference/services.md sections 5 to 11 and 15."""

from typing import Any

import msgspec
import pytest

from pykubeproxy.cluster import translate, wire
from pykubeproxy.cluster.documents import parse_manifest
from pykubeproxy.cluster.translate import BadObject, Ignored
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol, Service, ServiceKey, service_ports
from tests.builders import cidr, ip
from tests.cluster.manifest_text import GONE, as_yaml, service


def translated(obj: dict[str, Any]) -> tuple[Service, list[str]]:
    made, ignored = translate.service(msgspec.convert(obj, wire.Service))
    return made, list(map(str, ignored))


def made(**fields: Any) -> Service:
    its, ignored = translated(service(**fields))
    assert ignored == []
    return its


def test_example_a() -> None:
    its, ignored = translated(
        service(
            type="LoadBalancer",
            clusterIP="172.30.0.9",
            ipFamilies=["IPv4", "IPv6"],
            clusterIPs=["172.30.0.9", "fd00:172:30::9"],
            ports=[{"name": "http", "port": 80, "nodePort": 30080, "protocol": "TCP"}],
            externalIPs=["192.168.099.022", "2001:db8::5", "bogus", "", "  "],
            loadBalancerSourceRanges=[" 203.0.113.7/24", "2001:db8::/32", ""],
            status__loadBalancer={
                "ingress": [
                    {"ip": "1.2.3.4"},
                    {"ip": "2001:db8::44", "ipMode": "Proxy"},
                    {"hostname": "x.example"},
                ]
            },
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
    ("fields", "families"),
    [
        # B: a node port left in the object.
        ({"type": "ClusterIP", "ports": [{"port": 80, "nodePort": 123}]}, {Family.IPV4: 123}),
        # D and E.
        ({"type": "ExternalName", "clusterIP": "1.2.3.4"}, {}),
        ({"clusterIP": "2000::1"}, {Family.IPV6: 0}),
        ({"clusterIP": "None"}, {}),
        ({"clusterIP": GONE}, {}),
        ({"clusterIP": None}, {}),
        ({"clusterIP": ""}, {}),
        ({"metadata__labels": {"service.kubernetes.io/service-proxy-name": ""}}, {}),
    ],
)
def test_examples_b_d_e(fields: dict[str, Any], families: dict[Family, int]) -> None:
    its = made(**fields)
    assert {f: p.node_port for f in Family for p in service_ports(its, f)} == families


def test_example_c() -> None:
    its = made(externalIPs=["203.0.113.9"], externalTrafficPolicy="Local")
    assert its.external_policy_local


@pytest.mark.parametrize(("external_ips", "is_local"), [(["localhost"], True), ([" "], True), ([], False)])
def test_an_external_ip_that_is_none_counts_for_the_traffic_policy(external_ips: list[str], *, is_local: bool) -> None:
    its, _ = translated(service(type="ClusterIP", externalIPs=external_ips, externalTrafficPolicy="Local"))
    assert its.external_ips == ()
    assert its.external_policy_local is is_local


@pytest.mark.parametrize(
    ("fields", "cluster_ip", "cluster_ips"),
    [
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"]}, "10.0.0.1", ("10.0.0.1", "fd00::1")),
        # Written by hand: what the API server would have filled in.
        ({"clusterIP": "10.0.0.1"}, "10.0.0.1", ("10.0.0.1",)),
        ({"clusterIP": GONE, "clusterIPs": ["10.0.0.1"]}, "10.0.0.1", ("10.0.0.1",)),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, "None", ("None",)),
        ({"clusterIP": GONE, "clusterIPs": []}, "", ()),
    ],
)
def test_cluster_ips(fields: dict[str, Any], cluster_ip: str, cluster_ips: tuple[str, ...]) -> None:
    its = made(**fields)
    assert (its.cluster_ip, its.cluster_ips) == (cluster_ip, cluster_ips)


V4, V6 = "10.96.1.4", "fd00:10:96::d"


@pytest.mark.parametrize(
    ("fields", "served"),
    [
        ({"clusterIPs": [V4, V6]}, {Family.IPV4: V4, Family.IPV6: V6}),
        ({"clusterIPs": [V6, V4]}, {Family.IPV4: V4, Family.IPV6: V6}),
        ({"clusterIP": V4, "clusterIPs": [V4, V6]}, {Family.IPV4: V4, Family.IPV6: V6}),
        ({"clusterIP": V6, "clusterIPs": [V6, V4]}, {Family.IPV4: V4, Family.IPV6: V6}),
        ({"clusterIPs": [V4, V6], "ipFamilies": ["IPv4"]}, {Family.IPV4: V4, Family.IPV6: V6}),
        ({"clusterIPs": [V4, V6], "ipFamilies": []}, {Family.IPV4: V4, Family.IPV6: V6}),
        ({"clusterIPs": [V6, V4], "ipFamilies": ["IPv6", "IPv4"]}, {Family.IPV4: V4, Family.IPV6: V6}),
        ({"clusterIPs": [V6], "ipFamilyPolicy": "PreferDualStack"}, {Family.IPV6: V6}),
        ({"clusterIP": V6}, {Family.IPV6: V6}),
        ({"clusterIPs": ["None"], "ipFamilies": ["IPv4", "IPv6"]}, {}),
        ({"clusterIP": "None", "ipFamilyPolicy": "RequireDualStack"}, {}),
        ({"type": "ExternalName", "clusterIP": "", "clusterIPs": []}, {}),
    ],
)
def test_families_are_those_of_the_addresses_as_the_api_server_fills_them_in(
    fields: dict[str, Any], served: dict[Family, str]
) -> None:
    its = made(**{"clusterIP": GONE} | fields)
    assert {f: port.cluster_ip for f in Family for port in service_ports(its, f)} == served


@pytest.mark.parametrize(
    ("fields", "served", "told"),
    [
        (
            {"clusterIP": "10.96.1.5", "clusterIPs": [V4, V6]},
            {Family.IPV4: "10.96.1.5"},
            f"spec.clusterIP: '10.96.1.5' is not clusterIPs[0], '{V4}'; clusterIP is used",
        ),
        (
            {"clusterIP": V6, "clusterIPs": [V4, V6], "ipFamilies": ["IPv4", "IPv6"]},
            {Family.IPV4: V4, Family.IPV6: V6},
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
            {"clusterIPs": [V4, "10.96.1.5"]},
            {Family.IPV4: V4},
            "spec.clusterIPs[1]: '10.96.1.5' is a second IPv4 address; only the first one is served",
        ),
        (
            {"clusterIPs": [V4, V6], "ipFamilyPolicy": "SingleStack"},
            {Family.IPV4: V4, Family.IPV6: V6},
            "spec.ipFamilyPolicy: SingleStack, but clusterIPs has 2 addresses; all are served",
        ),
        (
            {"clusterIP": V4, "ipFamilyPolicy": "RequireDualStack"},
            {Family.IPV4: V4},
            "spec.ipFamilyPolicy: RequireDualStack, but there is one address; only that family is served",
        ),
        (
            {"clusterIP": V4, "ipFamilyPolicy": "Both"},
            {Family.IPV4: V4},
            "spec.ipFamilyPolicy: 'Both' is not one of SingleStack, PreferDualStack, RequireDualStack",
        ),
        (
            {"clusterIPs": [V4, "None"]},
            {Family.IPV4: V4},
            "spec.clusterIPs: None beside an address; a Service is headless or has addresses",
        ),
        (
            {"clusterIP": V4, "ipFamilies": ["IPX"]},
            {},
            "spec.ipFamilies[0]: 'IPX' is neither IPv4 nor IPv6",
        ),
    ],
)
def test_what_contradicts_itself_about_addresses_is_said(
    fields: dict[str, Any], served: dict[Family, str], told: str
) -> None:
    given: dict[str, Any] = {"clusterIP": GONE} | fields
    its, ignored = translated(service(**given))
    assert {f: port.cluster_ip for f in Family for port in service_ports(its, f)} == served
    assert ignored == [told]


def test_a_family_may_be_named_without_the_list_of_cluster_ips() -> None:
    assert service_ports(made(ipFamilies=["IPv4"]), Family.IPV4)


@pytest.mark.parametrize("name", ["3scale", "1", "0-a"])
def test_a_name_may_begin_with_a_digit(name: str) -> None:
    """The API server takes such names since Kubernetes v1.37."""
    obj = service()
    obj["metadata"]["name"] = name
    its, ignored = translated(obj)
    assert (its.key, ignored) == (ServiceKey("ns", name), [])


def test_defaults() -> None:
    its = made(ports=[{"port": 80}])
    (port,) = its.ports
    assert (port.name, port.protocol, port.node_port) == ("", Protocol.TCP, 0)
    assert its.key == ServiceKey("ns", "web")
    assert (its.affinity_seconds, its.external_traffic_local, its.internal_traffic_local) == (None, False, False)
    assert (its.external_ips, its.source_ranges, its.load_balancer_ips) == ((), (), ())
    assert not its.has_foreign_proxy
    assert made(ports=None).ports == ()
    assert made(ports=[{"port": 80, "protocol": None, "name": None, "nodePort": None}]).ports == its.ports


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, None),
        ({"sessionAffinity": "None", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}, None),
        ({"sessionAffinity": "ClientIP"}, 10800),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": None}}, 10800),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}}, 1),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86400}}}, 86400),
    ],
)
def test_affinity(fields: dict[str, Any], seconds: int | None) -> None:
    assert made(**fields).affinity_seconds == seconds


@pytest.mark.parametrize("mode", [None, "VIP", ""])
def test_ingress_in_vip_mode_counts(mode: str | None) -> None:
    its = made(status__loadBalancer={"ingress": [{"ip": "1.2.3.004", "ipMode": mode}, {"ip": "bogus"}, {"ip": ""}]})
    assert its.load_balancer_ips == (ip("1.2.3.4"),)


@pytest.mark.parametrize("status", [None, {}, {"loadBalancer": None}, {"loadBalancer": {"ingress": None}}])
def test_no_ingress(status: dict[str, Any] | None) -> None:
    its, _ = translated({**service(), "status": status})
    assert its.load_balancer_ips == ()


def test_every_source_range_malformed_is_no_restriction() -> None:
    its, ignored = translated(service(loadBalancerSourceRanges=["10.0.0.0", " fd00::/200 "]))
    assert its.source_ranges == ()
    assert ignored == [
        "spec.loadBalancerSourceRanges[0]: '10.0.0.0' is not a CIDR such as 10.0.0.0/8",
        "spec.loadBalancerSourceRanges[1]: ' fd00::/200 ' is not a CIDR such as 10.0.0.0/8",
    ]


@pytest.mark.parametrize(
    ("fields", "is_told"),
    [
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Local"}, True),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30500}, False),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "Cluster"}, False),
        ({"type": "NodePort", "externalTrafficPolicy": "Local"}, False),
        (
            {
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Local",
                "metadata__labels": {"service.kubernetes.io/service-proxy-name": "other"},
            },
            False,
        ),
    ],
)
def test_a_load_balancer_without_a_port_for_its_health_checks_is_an_error(
    fields: dict[str, Any], *, is_told: bool
) -> None:
    why = "0, so that no load balancer can ask under externalTrafficPolicy Local whether this node has endpoints"
    expected = (Ignored("spec.healthCheckNodePort", why, is_error=True),) if is_told else ()
    assert translate.service(msgspec.convert(service(**fields), wire.Service))[1] == expected
    parsed = parse_manifest(as_yaml(service(**fields)), "f.yaml")
    assert [note.is_error for note in parsed.notes] == [True] * is_told
    assert len(parsed.objects) == 1


def test_what_is_ignored_changes_nothing() -> None:
    """docs/reference/services.md section 11."""
    extra = made(
        trafficDistribution="PreferClose",
        loadBalancerClass="x",
        allocateLoadBalancerNodePorts=False,
        publishNotReadyAddresses=True,
        selector={"a": "b"},
        loadBalancerIP="9.9.9.9",
        ports=[{"name": "http", "port": 80, "targetPort": "web", "appProtocol": "h2c"}],
        metadata__annotations={"service.kubernetes.io/topology-mode": "Auto"},
        metadata__labels={"app": "x"},
    )
    assert extra == made()


TWO_PORTS = [{"name": "a", "port": 80}, {"name": "a", "port": 81}]

BAD = [
    ({"metadata__name": "Web"}, "metadata.name: 'Web' is not a DNS label (a-z, 0-9 and '-', at most 63 characters)"),
    ({"metadata__name": ""}, "metadata.name: '' is not a DNS label (a-z, 0-9 and '-', at most 63 characters)"),
    ({"metadata__name": "a" * 64}, None),
    ({"metadata__name": "a."}, None),
    ({"metadata__name": "a\n"}, None),
    ({"metadata__name": 'a" -j ACCEPT'}, None),
    ({"metadata__name": "-a"}, None),
    ({"metadata__name": "a-"}, None),
    ({"metadata__name": "\u00e4"}, None),
    ({"metadata__namespace": "a/b"}, None),
    ({"metadata__namespace": ""}, None),
    ({"clusterIP": "bogus"}, "spec.clusterIP: 'bogus' is not an IP address, \"None\" or empty"),
    ({"clusterIP": "10.0.0.1/32"}, None),
    ({"clusterIPs": ["10.96.0.1", "bogus"]}, "spec.clusterIPs[1]: 'bogus' is not an IP address, \"None\" or empty"),
    ({"type": "Weird"}, "spec.type: 'Weird' is not one of ClusterIP, NodePort, LoadBalancer, ExternalName"),
    ({"ports": [{"port": 0}]}, "spec.ports[0].port: 0 is not within 1 to 65535"),
    ({"ports": [{"port": 80}, {"port": 65536, "name": "b"}]}, "spec.ports[1].port: 65536 is not within 1 to 65535"),
    ({"ports": [{"port": 80, "nodePort": -1}]}, "spec.ports[0].nodePort: -1 is not within 0 to 65535"),
    ({"ports": [{"port": 80, "nodePort": 65536}]}, None),
    ({"ports": [{"port": 80, "protocol": "tcp"}]}, "spec.ports[0].protocol: 'tcp' is not one of TCP, UDP, SCTP"),
    ({"ports": [{"port": 80, "protocol": "TCP -j ACCEPT"}]}, None),
    ({"ports": [{"port": 80, "name": 'x" -j'}]}, None),
    ({"ports": [{"port": 80, "name": "a b"}]}, None),
    (
        {"ports": TWO_PORTS},
        "spec.ports: two ports share a name and protocol; each port of a Service needs its own name",
    ),
    ({"sessionAffinity": "Client"}, "spec.sessionAffinity: 'Client' is not one of None, ClientIP"),
    ({"externalTrafficPolicy": "local"}, "spec.externalTrafficPolicy: 'local' is not one of Cluster, Local"),
    ({"internalTrafficPolicy": "x"}, "spec.internalTrafficPolicy: 'x' is not one of Cluster, Local"),
    ({"healthCheckNodePort": 70000}, "spec.healthCheckNodePort: 70000 is not within 0 to 65535"),
    ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}}, None),
    (
        {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}}},
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds: 86401 is not within 1 to 86400",
    ),
]


@pytest.mark.parametrize(("fields", "problem"), BAD)
def test_bad(fields: dict[str, Any], problem: str | None) -> None:
    with pytest.raises(BadObject) as caught:
        translated(service(**fields))
    assert problem is None or str(caught.value) == problem
    assert str(caught.value) == f"{caught.value.field}: {caught.value.problem}"


def test_ports_of_one_name_may_differ_in_protocol() -> None:
    ports = [{"name": "dns", "port": 53}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    assert len(made(ports=ports).ports) == 2
