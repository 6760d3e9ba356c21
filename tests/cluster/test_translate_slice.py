"""EndpointSlices and Nodes from the wire: docs/reference/endpoints.md sections 1, 3 and lifecycle.md section 6."""

from typing import Any

import msgspec
import pytest

from pykubeproxy.cluster import translate, wire
from pykubeproxy.cluster.resources import ENDPOINT_SLICES_WITHOUT_PODS
from pykubeproxy.cluster.translate import BadObject
from pykubeproxy.model.endpoint import EndpointSlice, SliceKey
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import Protocol, ServiceKey
from tests.builders import at, cidr, ip, slice_port
from tests.cluster.manifest_text import endpoint_slice, node

OF_WEB = {"kubernetes.io/service-name": "web"}
NO_LABEL = "is not a DNS label (a-z, 0-9 and '-', at most 63 characters)"
NO_NAME = "is not a DNS name (a-z, 0-9, '-' and '.', at most 253 characters)"


def translated(**fields: Any) -> tuple[EndpointSlice | None, list[str]]:
    made, ignored = translate.endpoint_slice(msgspec.convert(endpoint_slice(**fields), wire.EndpointSlice))
    return made, list(map(str, ignored))


def made(**fields: Any) -> EndpointSlice:
    its, ignored = translated(**fields)
    assert ignored == []
    assert its is not None
    return its


@pytest.mark.parametrize("labels", [OF_WEB, OF_WEB | {"endpointslice.kubernetes.io/managed-by": "me"}])
def test_a_slice_whoever_manages_it(labels: dict[str, str]) -> None:
    hints = {"forZones": [{"name": "zone-a"}, {"name": "zone-b"}], "forNodes": [{"name": "n1"}]}
    endpoint = {"addresses": ["10.244.0.1"], "nodeName": "n1", "hints": hints}
    assert made(metadata__labels=labels, endpoints=[endpoint]) == EndpointSlice(
        key=SliceKey("ns", "web-1"),
        service=ServiceKey("ns", "web"),
        family=Family.IPV4,
        ports=(slice_port("http", 8080),),
        endpoints=(at("10.244.0.1", "n1", zones=("zone-a", "zone-b"), nodes=("n1",)),),
    )


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (None, (True, True, False)),
        ({"ready": None, "serving": None, "terminating": None}, (True, True, False)),
        ({"ready": False}, (False, True, False)),
        ({"ready": False, "serving": False}, (False, False, False)),
        ({"ready": False, "terminating": True}, (False, True, True)),
        ({"ready": True, "serving": False, "terminating": True}, (True, False, True)),
    ],
)
def test_conditions(conditions: dict[str, Any] | None, expected: tuple[bool, bool, bool]) -> None:
    (endpoint,) = made(endpoints=[{"addresses": ["10.0.0.1"], "conditions": conditions}]).endpoints
    assert (endpoint.ready, endpoint.serving, endpoint.terminating) == expected


def test_addresses_are_canonical_and_only_the_first_counts() -> None:
    entries = [{"addresses": ["010.000.000.010", "10.0.0.11"]}, {"addresses": ["::ffff:10.0.0.12"]}]
    assert [endpoint.address for endpoint in made(endpoints=entries).endpoints] == ["10.0.0.10", "10.0.0.12"]
    ipv6 = made(addressType="IPv6", endpoints=[{"addresses": ["FD00::0A"]}])
    assert (ipv6.family, ipv6.endpoints[0].address) == (Family.IPV6, "fd00::a")


def test_endpoints_that_cannot_be_used_are_left_out() -> None:
    addresses = [[], None, ["bogus", "10.0.0.9"], ["fd00::1"], ["10.0.0.1 -j ACCEPT"], ["10.0.0.1"]]
    its, ignored = translated(endpoints=[{} if each is None else {"addresses": each} for each in addresses])
    assert its is not None
    assert [endpoint.address for endpoint in its.endpoints] == ["10.0.0.1"]
    assert ignored == [
        "endpoints[0].addresses: empty",
        "endpoints[1].addresses: empty",
        "endpoints[2].addresses[0]: 'bogus' is not an IPv4 address",
        "endpoints[3].addresses[0]: 'fd00::1' is not an IPv4 address",
        "endpoints[4].addresses[0]: '10.0.0.1 -j ACCEPT' is not an IPv4 address",
    ]


def test_ports() -> None:
    its, ignored = translated(
        ports=[
            {"name": "", "port": 80},
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": None, "port": 9},
            {"name": "zero", "port": 0},
            {"name": "any", "port": None},
            {"name": "http", "port": 80, "protocol": None},
        ]
    )
    assert its is not None
    assert its.ports == (slice_port("", 80), slice_port("dns", 53, Protocol.UDP), slice_port("http", 80))
    assert ignored == [
        "ports[2].name: not set, so it matches no Service port",
        "ports[3].port: not set, so there is nothing to send traffic to",
        "ports[4].port: not set, so there is nothing to send traffic to",
    ]
    empty = made(ports=None, endpoints=None)
    assert (empty.ports, empty.endpoints) == ((), ())


@pytest.mark.parametrize("labels", [None, {}, {"kubernetes.io/service-name": ""}])
def test_a_slice_of_no_service(labels: dict[str, str] | None) -> None:
    why = "metadata.labels[kubernetes.io/service-name]: missing, so it belongs to no Service"
    assert translated(metadata__labels=labels) == (None, [why])


@pytest.mark.parametrize("kind", ["FQDN", "", "ipv4"])
def test_a_slice_of_another_kind_of_address(kind: str) -> None:
    assert translated(addressType=kind) == (None, [f"addressType: {kind!r} is neither IPv4 nor IPv6"])


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"metadata__name": "A"}, f"metadata.name: 'A' {NO_NAME}"),
        ({"metadata__name": "a\n-A X"}, f"metadata.name: 'a\\n-A X' {NO_NAME}"),
        ({"ports": [{"name": "x", "port": -1}]}, "ports[0].port: -1 is not within 1 to 65535"),
        ({"ports": [{"name": "x", "port": 65536}]}, "ports[0].port: 65536 is not within 1 to 65535"),
        ({"ports": [{"name": "x", "port": 1, "protocol": "x"}]}, "ports[0].protocol: 'x' is not one of TCP, UDP, SCTP"),
        ({"metadata__namespace": "a b"}, f"metadata.namespace: 'a b' {NO_LABEL}"),
        ({"ports": [{"name": "x\ny", "port": 80}]}, f"ports[0].name: 'x\\ny' {NO_LABEL}"),
    ],
)
def test_bad_slices(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadObject) as caught:
        translated(**fields)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("target", "pod"),
    [
        ({"kind": "Pod", "namespace": "ns", "name": "web-1"}, "ns/web-1"),
        ({"kind": "Node", "name": "n1"}, ""),
        ({"kind": "Pod", "namespace": None, "name": None}, ""),
        ({"kind": "Pod", "namespace": "ns", "name": "a\x1b[2J"}, ""),
    ],
)
def test_the_pod_of_an_endpoint(target: dict[str, Any], pod: str) -> None:
    endpoints = [{"addresses": ["10.244.0.1"], "targetRef": target}]
    assert made(endpoints=endpoints).endpoints[0].pod == pod
    obj = msgspec.convert(endpoint_slice(endpoints=endpoints), wire.EndpointSlice)
    assert ENDPOINT_SLICES_WITHOUT_PODS.translate(obj) == (made(endpoints=[{"addresses": ["10.244.0.1"]}]), ())


def node_of(**fields: Any) -> tuple[Node, list[str]]:
    its, ignored = translate.node(msgspec.convert(node(**fields), wire.Node))
    return its, list(map(str, ignored))


def test_a_node() -> None:
    its = Node(name="n1", addresses=(ip("172.31.1.2"),), pod_cidrs=(cidr("10.244.0.0/24"),), zone="zone-a")
    zone = {"topology.kubernetes.io/zone": "zone-a", "failure-domain.beta.kubernetes.io/zone": "zone-b"}
    assert node_of(metadata__labels=zone, spec__podCIDRs=["10.244.0.0/24"]) == (its, [])
    with pytest.raises(BadObject, match=r"^metadata\.name: 'N 1' is not a DNS name"):
        node_of(metadata__name="N 1")


def test_lifecycle_example_e() -> None:
    addresses = [
        {"type": "ExternalIP", "address": "203.0.113.5"},
        {"type": "Hostname", "address": "n1"},
        {"type": "InternalIP", "address": "10.1.1.1"},
        {"type": "InternalIP", "address": "bogus"},
        {"type": "InternalIP", "address": "fd00::1"},
        {"type": "InternalDNS", "address": "n1.example"},
    ]
    its, ignored = node_of(status__addresses=addresses)
    assert [address.text for address in its.addresses] == ["10.1.1.1", "fd00::1", "203.0.113.5"]
    assert [address.text for address in its.ips] == ["10.1.1.1", "fd00::1"]
    assert ignored == ["status.addresses[1]: 'bogus' is not an IP address"]


@pytest.mark.parametrize(
    ("spec", "cidrs"),
    [
        ({"podCIDRs": ["10.1.2.3/24", "FD00::1/64"], "podCIDR": "10.9.0.0/24"}, ["10.1.2.0/24", "fd00::/64"]),
        ({"podCIDR": "10.9.0.0/24"}, ["10.9.0.0/24"]),
        ({"podCIDR": "", "podCIDRs": None}, []),
        (None, []),
    ],
)
def test_pod_networks(spec: dict[str, Any] | None, cidrs: list[str]) -> None:
    assert [its.text for its in node_of(spec=spec)[0].pod_cidrs] == cidrs


@pytest.mark.parametrize(
    ("fields", "leaving"),
    [
        ({}, False),
        ({"metadata__deletionTimestamp": "2020-01-01T00:00:00Z"}, True),
        ({"spec__taints": [{"key": "ToBeDeletedByClusterAutoscaler"}]}, True),
        ({"spec__taints": [{"key": "node.kubernetes.io/unschedulable"}]}, False),
    ],
)
def test_being_deleted(fields: dict[str, Any], *, leaving: bool) -> None:
    assert node_of(**fields)[0].being_deleted is leaving
