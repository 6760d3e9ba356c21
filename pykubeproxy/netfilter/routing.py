"""Routing decisions: which addresses are the node's own, and where packets to all others go (the kernel's FIB)."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from pykubeproxy.model.ip import CIDR, IP, Family
from pykubeproxy.model.route import Route, RouteKind
from pykubeproxy.netfilter.environment import Environment, LocalAddress, first_number

T = TypeVar("T")

LOOPBACK_INTERFACE = "lo"

# 127.0.0.0/8
_LOOPBACK_NETWORK = 127


class PrefixMap(Generic[T]):
    """Values by network, looked up by the longest prefix. Of equal networks the first counts."""

    def __init__(self, bits: int, items: Iterable[tuple[CIDR, T]]) -> None:
        by_length: dict[int, dict[int, T]] = {}
        for network, value in items:
            shift = bits - network.prefix
            by_length.setdefault(shift, {}).setdefault(first_number(network) >> shift, value)
        self._by_shift = sorted(by_length.items())

    def find(self, number: int) -> T | None:
        """The value of the longest prefix that holds the address."""
        for shift, networks in self._by_shift:
            value = networks.get(number >> shift)
            if value is not None:
                return value
        return None


class AddressType(StrEnum):
    """The type that the kernel gives an address, as `-m addrtype` spells it."""

    LOCAL = "LOCAL"
    BROADCAST = "BROADCAST"
    MULTICAST = "MULTICAST"
    UNSPEC = "UNSPEC"
    UNICAST = "UNICAST"


class AddressTypes:
    """The types of all addresses of one family on a node, like the kernel's `inet_addr_type`."""

    def __init__(self, family: Family, environment: Environment, own: IP | None = None) -> None:
        """`own` is an address of the node that the environment may not list."""
        routes = [route for route in environment.routes or () if route.destination.family is family]
        from_routes = list(_local_routes(routes))
        local = [address for address in environment.addresses or () if address.cidr.family is family] + from_routes
        loopback = CIDR(Family.IPV4, "127.0.0.0/8", 8) if family is Family.IPV4 else CIDR(Family.IPV6, "::1/128", 128)
        self._family = family
        self._complete = environment.addresses is not None or bool(from_routes)
        self._possibly_local = {ip.number for ip in environment.possibly_local if ip.family is family}
        items = [(address.cidr, address.interface or "") for address in local]
        if own is not None:
            items.append((CIDR(family, own.text, family.bits), ""))
        self._local = PrefixMap(family.bits, [*items, (loopback, LOOPBACK_INTERFACE)])
        self._broadcast = {address.broadcast.number: address.interface for address in local if address.broadcast}
        for route in routes:
            if route.kind is RouteKind.BROADCAST and route.destination.prefix == family.bits:
                self._broadcast[first_number(route.destination)] = route.device
        self._single = [(first_number(a.cidr), a.interface) for a in local if a.cidr.prefix == family.bits]

    def type_of(self, number: int, interface: str | None = None) -> AddressType | None:
        """The type of an address, None if it is not known. With `interface`, only addresses on it are local."""
        fixed = self._fixed_type(number)
        if fixed is not None:
            return fixed
        if number in self._broadcast:
            return self._on_interface(AddressType.BROADCAST, self._broadcast[number], interface)
        holder = self._local.find(number)
        if holder is None:
            return AddressType.UNICAST if self._complete and number not in self._possibly_local else None
        return self._on_interface(AddressType.LOCAL, holder or None, interface)

    def address_on(self, interface: str | None) -> int | None:
        """The first single address on an interface; without an interface, the node's only one. None if not known."""
        if interface is None:
            return self._single[0][0] if len(self._single) == 1 and self._complete else None
        return next((number for number, holder in self._single if holder == interface), None)

    def _fixed_type(self, number: int) -> AddressType | None:
        """The type of an address that has the same one on every node; None for all others."""
        if self._family is Family.IPV6:
            if number >> 120 == 0xFF:
                return AddressType.MULTICAST
            return AddressType.UNSPEC if number == 0 else None
        if number in (0, 0xFFFFFFFF):
            return AddressType.BROADCAST
        return AddressType.MULTICAST if number >> 28 == 0xE else None

    @staticmethod
    def _on_interface(kind: AddressType, holder: str | None, interface: str | None) -> AddressType | None:
        if interface is None or holder == interface:
            return kind
        return None if holder is None else AddressType.UNICAST


class RoutingResult(StrEnum):
    """What a routing decision does with a packet: delivers it here, sends it on, drops it, or refuses it with ICMP."""

    LOCAL = "local"
    FORWARD = "forward"
    DROPPED = "dropped"
    REFUSED = "refused"


class _RoutingFailure(msgspec.Struct, frozen=True, tag=True, tag_field="kind", rename="camel"):
    pass


class LoopbackMayNotLeave(_RoutingFailure, frozen=True):
    """A packet from 127.0.0.0/8 must not leave this node: net.ipv4.conf.all.route_localnet is 0."""


class ForwardingIsOff(_RoutingFailure, frozen=True):
    """This node forwards no packets: ip_forward, or its IPv6 counterpart, is 0."""


class HasNoRoute(_RoutingFailure, frozen=True):
    """No route leads to the destination."""


class RouteRefuses(_RoutingFailure, frozen=True):
    """The route to the network `destination` is one that refuses packets, or drops them (`blackhole`)."""

    destination: str
    route_kind: RouteKind


RoutingFailure = LoopbackMayNotLeave | ForwardingIsOff | HasNoRoute | RouteRefuses
"""Why routing finds no way to a destination."""


class RoutingDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A routing decision: interface and gateway where known; `failure` says why a packet is dropped or refused."""

    result: RoutingResult
    interface: str | None = None
    gateway: str | None = None
    failure: RoutingFailure | None = None


class Router:
    """Decides where packets of one family go. Policy routing (`ip rule`) is not known to it."""

    def __init__(self, family: Family, environment: Environment) -> None:
        self._forwarding = environment.forwarding
        self._keeps_loopback = family is Family.IPV4 and not environment.route_localnet
        self._routes = None
        if environment.routes is not None:
            routes = [route for route in environment.routes if route.destination.family is family]
            self._routes = PrefixMap(family.bits, [(route.destination, route) for route in routes])

    def decide(
        self, number: int, *, local: bool, from_node: bool, interface: str | None, source: int | None = None
    ) -> RoutingDecision:
        """Where a packet goes whose destination `number` is the node's own (`local`) or not.

        `interface` is the one by which it leaves if no routes are known.
        """
        if local:
            return RoutingDecision(result=RoutingResult.LOCAL, interface=LOOPBACK_INTERFACE)
        if from_node and self._keeps_loopback and source is not None and source >> 24 == _LOOPBACK_NETWORK:
            return RoutingDecision(result=RoutingResult.DROPPED, failure=LoopbackMayNotLeave())
        if not (from_node or self._forwarding):
            return RoutingDecision(result=RoutingResult.DROPPED, failure=ForwardingIsOff())
        if self._routes is None:
            return RoutingDecision(result=RoutingResult.FORWARD, interface=interface)
        route = self._routes.find(number)
        if route is None:
            return RoutingDecision(result=RoutingResult.REFUSED, failure=HasNoRoute())
        return _along(route)


def _along(route: Route) -> RoutingDecision:
    match route.kind:
        case RouteKind.BLACKHOLE:
            failure = RouteRefuses(route.destination.text, route.kind)
            return RoutingDecision(result=RoutingResult.DROPPED, failure=failure)
        case RouteKind.UNREACHABLE | RouteKind.PROHIBIT:
            failure = RouteRefuses(route.destination.text, route.kind)
            return RoutingDecision(result=RoutingResult.REFUSED, failure=failure)
        case RouteKind.LOCAL | RouteKind.BROADCAST:
            return RoutingDecision(result=RoutingResult.LOCAL, interface=LOOPBACK_INTERFACE)
        case RouteKind.UNICAST:
            gateway = route.via.text if route.via else None
            return RoutingDecision(result=RoutingResult.FORWARD, interface=route.device, gateway=gateway)


def _local_routes(routes: Iterable[Route]) -> Iterator[LocalAddress]:
    """The node's own addresses, from its routes of the kind `local`."""
    for route in routes:
        if route.kind is RouteKind.LOCAL:
            yield LocalAddress(cidr=route.destination, interface=route.device)
