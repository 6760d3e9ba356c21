"""The node's routes, from the main and the local table.

Source: rtnetlink(7) and `linux/rtnetlink.h`. Other tables, which `ip rule` may bring in, are not read.
"""

import errno
import socket
import struct
import sys
from collections.abc import Iterator, Mapping

import msgspec

from pykubeproxy.host.netlink import NetlinkError, parse_attributes
from pykubeproxy.host.rtnetlink import Attributes, device_names, dump, to_ip, to_number
from pykubeproxy.model.ip import CIDR, IP, Family, parse_cidr, parse_ip
from pykubeproxy.model.route import Route, RouteKind

_GET_ROUTES = 26

# struct rtmsg: family, lengths of destination and source prefix, TOS, table, protocol, scope, type, flags.
_FIXED = struct.Struct("=BBBBBBBBI")
_MAIN, _LOCAL = 254, 255

# The kernel's numbers for types of routes. Multicast and anycast ones are left out: no Service has such an address.
_KIND = {
    1: RouteKind.UNICAST,
    2: RouteKind.LOCAL,
    3: RouteKind.BROADCAST,
    6: RouteKind.BLACKHOLE,
    7: RouteKind.UNREACHABLE,
    8: RouteKind.PROHIBIT,
}

# Flag of an entry that is in the kernel's cache and not in the table.
_CLONED = 0x200

_DESTINATION, _DEVICE, _GATEWAY, _METRIC, _SOURCE, _NEXT_HOPS, _VIA = 1, 4, 5, 6, 7, 9, 18

_FAMILY = {family.address_family: family for family in Family}

# Errors that are not about routes: no more files, sockets or memory.
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

# Routes do not depend on ports.
_ANY_PORT = 9

# struct rtnexthop: length, flags, hops, index of the interface.
_NEXT_HOP = struct.Struct("=HBBI")


class KernelRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route, and what only the node itself asks of it.

    `source` is the address that the node uses for connections of its own on this way, where the route names one. Of
    routes to the same destination, the one with the lowest `metric` is taken.
    """

    route: Route
    metric: int = 0
    source: IP | None = None

    @property
    def is_default(self) -> bool:
        """True if it is taken where no other route matches."""
        return self.route.destination.prefix == 0 and self.route.kind is RouteKind.UNICAST


def routes() -> tuple[Route, ...]:
    """All routes of both families, one per next hop; of those to the same destination the preferred one first.

    Raises NetlinkError.
    """
    return tuple(known.route for known in kernel_routes())


def kernel_routes() -> tuple[KernelRoute, ...]:
    """All routes, with what only the node itself asks of them. Raises NetlinkError."""
    devices = device_names()
    found = [
        (table_order, known.metric, known)
        for fields, attributes in dump("list routes", _GET_ROUTES, _FIXED)
        for table_order, known in _routes(fields, attributes, devices)
    ]
    return tuple(known for _, _, known in sorted(found, key=lambda item: item[:2]))


def source_towards(destination: IP) -> IP | None:
    """The address from which this node's own packets to `destination` come; None if they cannot go anywhere.

    A datagram socket is connected, and asked for its own address; nothing is sent. Raises NetlinkError if no more
    sockets can be opened.
    """
    try:
        with socket.socket(destination.family.address_family, socket.SOCK_DGRAM) as asking:
            asking.connect((destination.text, _ANY_PORT))
            return parse_ip(asking.getsockname()[0])
    except OSError as error:
        if error.errno in _SHORTAGES:
            raise NetlinkError("ask for a route", error.errno) from None
        return None


def _routes(
    fields: tuple[int, ...], attributes: Attributes, devices: Mapping[int, str]
) -> Iterator[tuple[int, KernelRoute]]:
    """The routes of one message, each with the place of its table in the order in which tables are asked."""
    family_number, prefix, _, _, table, _, _, type_, flags = fields
    family, kind = _FAMILY.get(family_number), _KIND.get(type_)
    if family is None or kind is None or table not in (_LOCAL, _MAIN) or flags & _CLONED:
        return
    destination = _cidr(attributes.get(_DESTINATION, bytes(family.bits // 8)), prefix)
    if destination is None:
        return
    for hop in _next_hops(attributes):
        device = devices.get(to_number(hop.get(_DEVICE)))
        route = Route(destination=destination, device=device, via=_gateway(hop), kind=kind)
        known = KernelRoute(
            route=route, metric=to_number(attributes.get(_METRIC)), source=to_ip(attributes.get(_SOURCE))
        )
        yield (_LOCAL, _MAIN).index(table), known


def _next_hops(attributes: Attributes) -> Iterator[Attributes]:
    """The attributes of each next hop; where there is but one, they are the route's own."""
    hops = attributes.get(_NEXT_HOPS)
    if hops is None:
        yield attributes
        return
    while len(hops) >= _NEXT_HOP.size:
        length, _, _, device = _NEXT_HOP.unpack_from(hops)
        yield parse_attributes(hops[:length], _NEXT_HOP.size) | {_DEVICE: device.to_bytes(4, sys.byteorder)}
        hops = hops[max(length, _NEXT_HOP.size) :]


def _gateway(hop: Attributes) -> IP | None:
    """The next router. An IPv4 route through an IPv6 one names it by address family (2 bytes) and address."""
    return to_ip(hop.get(_GATEWAY)) or to_ip(hop.get(_VIA, b"")[2:])


def _cidr(packed: bytes, prefix: int) -> CIDR | None:
    ip = to_ip(packed)
    return parse_cidr(f"{ip.text}/{prefix}") if ip is not None else None
