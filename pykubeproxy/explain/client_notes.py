"""What is odd about where a packet is said to come from, and what was probably meant instead.

A trace of such a packet is right as far as the rules go, but it is not the way of the packet that somebody wonders
about.
"""

from collections.abc import Collection, Iterator
from typing import assert_never

import msgspec

from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.suggestions import did_you_mean
from pykubeproxy.model.ip import IP
from pykubeproxy.netfilter.packet import Packet


class FromLoopback(msgspec.Struct, frozen=True):
    """A loopback address: no packet comes from there that the node itself has not sent."""

    address: str


class FromOwnAddress(msgspec.Struct, frozen=True):
    """An address of the node, whose own packets take another way than those that arrive."""

    address: str


class FromPodElsewhere(msgspec.Struct, frozen=True):
    """A pod of the node `home`, whose rules redirect its packets for Services before they leave it."""

    address: str
    home: str
    node_name: str


class NoSuchInterface(msgspec.Struct, frozen=True):
    """This node has no interface of that name; `known` are those that it has."""

    name: str
    known: tuple[str, ...]


ClientNote = FromLoopback | FromOwnAddress | FromPodElsewhere | NoSuchInterface
"""Something odd about where a packet is said to come from."""


def client_notes(
    packet: Packet,
    own_addresses: Collection[IP],
    cluster: ClusterView | None,
    interfaces: Collection[str] | None,
    *,
    is_for_service: bool,
) -> Iterator[ClientNote]:
    """What is odd about the source and the interface of a packet.

    `own_addresses` are the node's, `interfaces` the names of those that it has; None if they are not known. A pod of
    another node may well send packets to this node, unless they are for the address of a Service (`is_for_service`).
    """
    source = packet.source
    if packet.from_node:
        return
    if source.is_loopback:
        yield FromLoopback(source.text)
    elif source in own_addresses:
        yield FromOwnAddress(source.text)
    elif cluster is not None and is_for_service and cluster.knows_node:
        home = cluster.home_of(source)
        if home and home != cluster.node_name:
            yield FromPodElsewhere(source.text, home, cluster.node_name)
    if packet.in_interface is not None and interfaces is not None and packet.in_interface not in interfaces:
        yield NoSuchInterface(packet.in_interface, tuple(sorted(interfaces)))


def client_note_text(note: ClientNote) -> str:
    """What is odd, and what was probably meant, in a sentence."""
    match note:
        case FromLoopback(address):
            return f"--from {address}: no packet arrives from a loopback address; did you mean --from node?"
        case FromOwnAddress(address):
            return f"--from {address} is an address of the node, which sends by another way; did you mean --from node?"
        case FromPodElsewhere(address, home, node_name):
            return (
                f"--from {address} is a pod of {home}, whose rules redirect its packets for Services, not those of "
                f"{node_name}; ask on {home}, or with --hostname-override {home}"
            )
        case NoSuchInterface(name, known):
            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            return f"--in-interface {name}: this node has no such interface{hint}"
        case _:
            assert_never(note)
