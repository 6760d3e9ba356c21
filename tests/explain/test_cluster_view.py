"""What objects add to what rules can tell."""

from typing import Any

import pytest

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.client_notes import (
    ClientNote,
    FromLoopback,
    FromOwnAddress,
    FromPodElsewhere,
    NoSuchInterface,
    address_notes,
    client_note_text,
    client_notes,
)
from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.finding_words import absence_text, finding_text
from pykubeproxy.explain.service_causes import NoLocalEndpoints, NoReadyEndpoints, NotInSourceRanges, TrafficPolicy
from pykubeproxy.model.endpoint import SliceEndpoint
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import Protocol, ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.netfilter import Environment, Packet, local_address
from pykubeproxy.netfilter.causes import Cause, PolicyDrops
from pykubeproxy.netfilter.routing import AddressTypes
from tests.builders import at, cidr, ip, service, slice_of, slice_port, snapshot
from tests.netfilter.asking import packet


def view(*objects: Object, node_name: str = "node-a") -> ClusterView:
    return ClusterView(snapshot=snapshot(*objects), family=Family.IPV4, node_name=node_name)


def pods(count: int, **conditions: Any) -> list[SliceEndpoint]:
    return [at(f"10.0.1.{number}", "node-b", **conditions) for number in range(1, count + 1)]


def its(*endpoints: SliceEndpoint, **fields: Any) -> list[Object]:
    """The Service, and its slice with these endpoints."""
    return [service(), slice_of("ns1/svc1", *endpoints, **fields)]


GONE: dict[str, Any] = {"ready": False, "serving": False, "terminating": True}
NOT_READY: dict[str, Any] = {"ready": False, "serving": False}
TWICE = [at("10.0.1.1", node, **NOT_READY) for node in ("node-b", "node-c")]
NO_ENDPOINTS = NoReadyEndpoints("ns1/svc1:p80")
NO_LOCAL = NoLocalEndpoints(TrafficPolicy.EXTERNAL, "ns1/svc1:p80")
BALANCER: dict[str, Any] = {"type": ServiceType.LOAD_BALANCER, "load_balancer_ips": (ip("192.0.2.9"),)}
LOCAL = service(external_traffic_local=True, **BALANCER)
IN_RANGES = service(source_ranges=(cidr("192.0.2.0/24"),))


@pytest.mark.parametrize(
    ("cause", "objects", "words"),
    [
        (NO_ENDPOINTS, [], ", which is not among the objects given: stale rules?"),
        (NO_ENDPOINTS, [service()], ": it has no EndpointSlice; no pod was ever found for it"),
        (NO_ENDPOINTS, its(), ": its EndpointSlices list no pods: does its selector match any?"),
        (NO_ENDPOINTS, its(*pods(3, **GONE)), ": 3 endpoints, all terminating"),
        (NO_ENDPOINTS, its(*pods(1, **NOT_READY)), ": 1 endpoint, not ready"),
        (NO_ENDPOINTS, its(*TWICE), ": 1 endpoint, not ready"),
        (NO_ENDPOINTS, its(*pods(1, ready=False), *pods(3, **GONE)[1:]), ": 3 endpoints: 1 not ready, 2 terminating"),
        (
            NO_ENDPOINTS,
            its(*pods(2), ports=(slice_port("web"),)),
            ": its 2 endpoints are for port web/TCP, not p80/TCP",
        ),
        (
            NO_ENDPOINTS,
            its(*pods(1), ports=(slice_port(protocol=Protocol.UDP),)),
            ": its 1 endpoint is for port p80/UDP, not p80/TCP",
        ),
        (
            NO_ENDPOINTS,
            its(*pods(2), ports=()),
            ": its 2 endpoints have no port: does a container name the targetPort of p80/TCP?",
        ),
        (NO_ENDPOINTS, its(*pods(2)), ": stale rules: its EndpointSlices list 2 endpoints that can be used"),
        (NO_LOCAL, its(at("10.0.1.1", "node-b"), at("10.0.1.2", "node-c")), ": 2 endpoints, on node-b, node-c"),
        (
            NO_LOCAL,
            [LOCAL, *its(at("10.0.1.1", "node-a"), at("10.0.1.2", "node-c"))[1:]],
            ": stale rules: its EndpointSlices list 1 endpoint on node-a",
        ),
        (NotInSourceRanges("10.0.0.1", "ns1/svc1:p80"), [IN_RANGES], ": 192.0.2.0/24"),
        (PolicyDrops("filter", "FORWARD"), [service()], ""),
    ],
)
def test_what_objects_add_to_a_cause(cause: Cause, objects: list[Object], words: str) -> None:
    assert cause_text(view(*objects).with_finding(cause)) == f"{cause_text(cause)}{words}"


def test_ways_to_endpoints_that_are_none() -> None:
    known = view(service(), slice_of("ns1/svc1", at("10.0.1.1"), at("10.0.1.2", **GONE)))
    assert known.why_stale("ns1/svc1:p80", "10.0.1.1:80") is None
    for port, endpoint, why in (
        ("ns1/svc1:p80", "10.0.1.2:80", "that endpoint is terminating"),
        ("ns1/svc1:p80", "10.0.1.3:80", "no EndpointSlice of ns1/svc1:p80 lists that endpoint"),
        ("ns1/other", "10.0.1.1:80", "ns1/other is not among the objects given"),
    ):
        assert finding_text(known.why_stale(port, endpoint)) == f"; stale rules: {why}"


def test_why_a_service_has_no_rules() -> None:
    known = view(
        service("ns1/headless", "None"),
        slice_of("ns1/headless", "10.0.1.1", "10.0.1.2"),
        service("ns1/dns", "", type=ServiceType.EXTERNAL_NAME),
        service("ns1/pending", ""),
        service("ns1/theirs", has_foreign_proxy=True),
        service(),
    )
    for name, why in {
        "ns1/headless": "ask for 10.0.1.1:80, 10.0.1.2:80",
        "ns1/dns": "ns1/dns has no rules: type ExternalName is DNS only",
        "ns1/pending": "ns1/pending has no rules: it has no clusterIP",
        "ns1/theirs": "label service.kubernetes.io/service-proxy-name hands it to another proxy",
        "ns1/svc1:other": "ns1/svc1 has no port other: its ports are p80 (80/tcp)",
        "ns1/svc1": "but not in these rules",
    }.items():
        found = known.why_absent(name)
        assert found is not None
        assert why in absence_text(found)
    assert known.why_absent("ns1/nothing") is None


NODES = (
    slice_of("ns1/web", at("10.1.0.5", "node-a"), at("10.1.1.5", "node-b")),
    Node(name="node-a", pod_cidrs=(cidr("10.1.0.0/24"),)),
    Node(name="node-b", pod_cidrs=(cidr("10.1.1.0/24"),)),
)


def notes(node_name: str = "node-a", *, is_for_service: bool = True, **fields: Any) -> list[ClientNote]:
    """What is odd about where a packet is said to come from."""
    known, own = view(*NODES, node_name=node_name), (ip("192.0.2.1"),)
    return list(client_notes(packet(**fields), own, known, ("lo", "eth0"), is_for_service=is_for_service))


@pytest.mark.parametrize(
    ("fields", "note", "meant"),
    [
        ({"source": "127.0.0.5"}, FromLoopback("127.0.0.5"), "did you mean --from node?"),
        ({"source": "192.0.2.1"}, FromOwnAddress("192.0.2.1"), "did you mean --from node?"),
        ({"source": "10.1.1.5"}, FromPodElsewhere("10.1.1.5", "node-b", "node-a"), "ask on node-b, or with --hostname"),
        ({"source": "10.1.1.77"}, FromPodElsewhere("10.1.1.77", "node-b", "node-a"), "is a pod of node-b"),
        ({"in_interface": "eth1"}, NoSuchInterface("eth1", ("eth0", "lo")), "did you mean eth0?"),
        ({"in_interface": "cni0"}, NoSuchInterface("cni0", ("eth0", "lo")), "there are eth0, lo"),
    ],
)
def test_an_odd_client_is_told_with_what_was_probably_meant(
    fields: dict[str, Any], note: ClientNote, meant: str
) -> None:
    assert notes(**fields) == [note]
    assert meant in client_note_text(note)


@pytest.mark.parametrize(
    ("source", "destination", "meant"),
    [
        ("192.0.2.255", "10.96.0.1", "--from 192.0.2.255 is a broadcast address"),
        ("10.96.0.9", "10.96.0.1", "--from 10.96.0.9 is an address of Service ns1/web, which sends nothing"),
        ("10.1.0.5", "224.0.0.5", "--to 224.0.0.5 is a multicast address, which no Service has"),
        ("10.1.0.5", "192.0.2.255", "--to 192.0.2.255 is a broadcast address"),
        ("fe80::1", "fd00::1", "--from fe80::1 is a link-local address"),
        ("fd00::1", "fe80::1", "--to fe80::1 is a link-local address"),
        ("192.0.2.1", "169.254.1.1", ""),
    ],
)
def test_addresses_that_were_hardly_meant(source: str, destination: str, meant: str) -> None:
    its = Packet(source=ip(source), destination=ip(destination))
    types = AddressTypes(its.family, Environment(addresses=(local_address("192.0.2.1/24"),)))
    said = [client_note_text(note) for note in address_notes(its, types, "ns1/web" if source == "10.96.0.9" else "")]
    assert [text[: len(meant)] for text in said] == [meant] * bool(meant)


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "10.1.0.5", "in_interface": "eth0"},
        {"source": "10.1.0.77"},
        {"source": "203.0.113.9"},
        {"source": "192.0.2.1", "from_node": True},
        {"source": "127.0.0.1", "from_node": True},
        {"source": "10.1.1.5", "is_for_service": False},
        {"source": "10.1.1.5", "node_name": "a-name-that-no-object-has"},
    ],
    ids=["endpoint", "pod", "outside", "node", "loopback", "to the node itself", "rules of an unknown node"],
)
def test_a_client_that_is_not_odd(fields: dict[str, Any]) -> None:
    assert notes(**fields) == []
