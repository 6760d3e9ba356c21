"""Routes: where a node sends packets for a network.

Source: ip-route(8).
"""

from enum import StrEnum

import msgspec

from pykubeproxy.model.ip import CIDR, IP


class RouteKind(StrEnum):
    """What a route does with a packet; the names are those of ip-route(8)."""

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route: where packets for `destination` go. `via` is None for what is reached without a gateway."""

    destination: CIDR
    device: str | None = None
    via: IP | None = None
    kind: RouteKind = RouteKind.UNICAST
