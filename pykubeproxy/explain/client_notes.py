"""What is odd about where a packet is said to come from, or to go, and what was probably meant instead.

A trace of such a packet is right as far as the rules go, but it is not the way of the packet that somebody wonders
about.
"""

from collections.abc import Collection, Iterator
from typing import assert_never

import msgspec

from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.suggestions import did_you_mean
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.netfilter.packet import Packet
from pykubeproxy.netfilter.routing import AddressType, AddressTypes

_CLIENT = "give the address that the client has as others see it"
_SERVICES = "`pykubeproxy services` shows the addresses of Services"


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


class FromService(msgspec.Struct, frozen=True):
    """An address of the Service `service`, which rules redirect, and which no packet comes from."""

    address: str
    service: str


class FromBroadcast(msgspec.Struct, frozen=True):
    """The broadcast address of a network of this node: the kernel drops what claims to come from there."""

    address: str


class FromLinkLocal(msgspec.Struct, frozen=True):
    """An IPv6 address of one link, whose packets are not forwarded (RFC 4291 section 2.5.6)."""

    address: str


class ToLinkLocal(msgspec.Struct, frozen=True):
    """An IPv6 address of one link as the destination."""

    address: str


class ToMany(msgspec.Struct, frozen=True):
    """A multicast or broadcast address as the destination."""

    address: str
    type: AddressType


class NoSuchInterface(msgspec.Struct, frozen=True):
    """This node has no interface of that name; `known` are those that it has."""

    name: str
    known: tuple[str, ...]


ClientNote = (
    FromLoopback
    | FromOwnAddress
    | FromPodElsewhere
    | FromService
    | FromBroadcast
    | FromLinkLocal
    | ToLinkLocal
    | ToMany
    | NoSuchInterface
)
"""Something odd about where a packet is said to come from, or to go."""


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


def address_notes(packet: Packet, types: AddressTypes, service: str) -> Iterator[ClientNote]:
    """What is odd about the addresses of a packet.

    `types` tells whether the node takes an address for its own, for a broadcast address, and so on. `service` is the
    Service that has the source as one of its addresses; empty if none has.
    """
    source, destination = packet.source, packet.destination
    source_type, destination_type = types.type_of(source.number), types.type_of(destination.number)
    if source_type is AddressType.BROADCAST:
        yield FromBroadcast(source.text)
    elif service and source_type is not AddressType.LOCAL:
        yield FromService(source.text, service)
    elif _is_of_link(source) and not packet.from_node:
        yield FromLinkLocal(source.text)
    if destination_type in (AddressType.MULTICAST, AddressType.BROADCAST):
        yield ToMany(destination.text, destination_type)
    elif _is_of_link(destination):
        yield ToLinkLocal(destination.text)


def _is_of_link(ip: IP) -> bool:
    return ip.family is Family.IPV6 and ip.is_link_local


def client_note_text(note: ClientNote) -> str:  # noqa: PLR0911  one case for each kind
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
        case FromService(address, service):
            return f"--from {address} is an address of Service {service}, which sends nothing; give that of the client"
        case FromBroadcast(address):
            return f"--from {address} is a broadcast address, and the kernel drops what comes from there; {_CLIENT}"
        case FromLinkLocal(address):
            return f"--from {address} is a link-local address, whose packets are not forwarded; {_CLIENT}"
        case ToLinkLocal(address):
            return f"--to {address} is a link-local address, which is reached on one link only; {_SERVICES}"
        case ToMany(address, its_type):
            return f"--to {address} is a {its_type.lower()} address, which no Service has; {_SERVICES}"
        case NoSuchInterface(name, known):
            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            return f"--in-interface {name}: this node has no such interface{hint}"
        case _:
            assert_never(note)
