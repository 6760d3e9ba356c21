"""New connections per second, by Service port and by endpoint: the values, and when to measure them. Pure."""

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.rules.refusals import RefusalReason


class EndpointRate(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint, as `ip:port`. Its share is of its Service port's connections, None where there were none.

    `expected` is None for an endpoint that traffic to the cluster IP never gets to. `history` is connections per
    second in the last intervals, the latest last. `pod` (`namespace/name`) and `node` are "" if they are not known:
    rules do not name them.
    """

    endpoint: str
    connections: int
    rate: float
    share: float | None
    expected: float | None
    history: tuple[float, ...]
    pod: str = ""
    node: str = ""


class RefusalRate(msgspec.Struct, frozen=True, kw_only=True):
    """Packets of new connections to a Service port that rules refuse or drop, for one reason; not among the others."""

    reason: RefusalReason
    connections: int
    rate: float
    history: tuple[float, ...]


class ServiceRate(msgspec.Struct, frozen=True, kw_only=True):
    """One Service port, called `namespace/name:port`. Its share is of all connections, None where there were none.

    Its endpoints are all there, also those that got nothing. `refusals` are there for whatever was refused of late.
    """

    family: Family
    service: str
    protocol: str
    connections: int
    rate: float
    share: float | None
    history: tuple[float, ...]
    endpoints: tuple[EndpointRate, ...]
    refusals: tuple[RefusalRate, ...] = ()


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """One interval: its length, what was counted in it, the busy Services, and how many the rules serve in all.

    `known_ports` counts ServicePorts, once in each IP family; `known_services` the Services that they belong to.

    `refused` are connections that got to no endpoint, and are not among `connections`. Services are sorted by both,
    endpoints by connections, then by what they had before, then by name.
    """

    seconds: float
    connections: int
    services: tuple[ServiceRate, ...]
    refused: int = 0
    known_ports: int
    known_services: int
    known_endpoints: int

    @property
    def rate(self) -> float:
        """Connections per second."""
        return self.connections / self.seconds


def share(part: int, whole: int) -> float | None:
    """A part of a whole; None if there is nothing to share."""
    return part / whole if whole else None


def service_order(rate: ServiceRate) -> tuple[int, float, str, str, Family]:
    """A key that sorts Services by their connections, those that are refused among them."""
    refused = sum(each.connections for each in rate.refusals)
    return -rate.connections - refused, -sum(rate.history), rate.service, rate.protocol, rate.family


def endpoint_order(rate: EndpointRate) -> tuple[int, float, str]:
    """A key that sorts endpoints by their connections."""
    return -rate.connections, -sum(rate.history), rate.endpoint


def next_reading(began: float, ended: float, interval: float) -> float:
    """When to read next, in the seconds of any one clock.

    At the end of the interval; but where a reading takes long, it gets no more than half of the time.
    """
    return max(began + interval, ended + (ended - began))
