"""What is odd about where a packet is said to come from."""

from typing import Any

import pytest

from pykubeproxy.explain.client_notes import (
    ClientNote,
    FromLoopback,
    FromOwnAddress,
    FromPodElsewhere,
    NoSuchInterface,
    client_note_text,
    client_notes,
)
from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from tests.builders import at, cidr, ip, slice_of, snapshot
from tests.netfilter.asking import packet

OBJECTS = (
    slice_of("ns1/web", at("10.1.0.5", "node-a"), at("10.1.1.5", "node-b")),
    Node(name="node-a", pod_cidrs=(cidr("10.1.0.0/24"),)),
    Node(name="node-b", pod_cidrs=(cidr("10.1.1.0/24"),)),
)


def notes(node_name: str = "node-a", *, is_for_service: bool = True, **fields: Any) -> list[ClientNote]:
    known = ClusterView(snapshot=snapshot(*OBJECTS), family=Family.IPV4, node_name=node_name)
    asked = packet(**fields)
    return list(client_notes(asked, (ip("192.0.2.1"),), known, ("lo", "eth0"), is_for_service=is_for_service))


@pytest.mark.parametrize(
    ("fields", "note", "meant"),
    [
        ({"source": "127.0.0.5"}, FromLoopback("127.0.0.5"), "did you mean --from node?"),
        ({"source": "192.0.2.1"}, FromOwnAddress("192.0.2.1"), "did you mean --from node?"),
        (
            {"source": "10.1.1.5"},
            FromPodElsewhere("10.1.1.5", "node-b", "node-a"),
            "ask on node-b, or with --hostname-override node-b",
        ),
        ({"source": "10.1.1.77"}, FromPodElsewhere("10.1.1.77", "node-b", "node-a"), "is a pod of node-b"),
        ({"in_interface": "eth1"}, NoSuchInterface("eth1", ("eth0", "lo")), "did you mean eth0?"),
        ({"in_interface": "cni0"}, NoSuchInterface("cni0", ("eth0", "lo")), "there are eth0, lo"),
    ],
)
def test_it_is_said_with_what_was_probably_meant(fields: dict[str, Any], note: ClientNote, meant: str) -> None:
    assert notes(**fields) == [note]
    assert meant in client_note_text(note)


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
def test_nothing_is_odd(fields: dict[str, Any]) -> None:
    assert notes(**fields) == []


def test_nothing_is_known() -> None:
    assert list(client_notes(packet(source="10.1.1.5", in_interface="eth9"), (), None, None, is_for_service=True)) == []
