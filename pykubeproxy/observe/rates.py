"""New connections per second, from one reading of the counters to the next: by Service port, and by endpoint.

Each interval is measured with a complete reading of the nat table of each family. Pure: readings and seconds in,
values out.
"""

from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.observe.counters import Increases, Reading, target_of
from pykubeproxy.observe.served import Served, ServedPort
from pykubeproxy.rules.ruleset import Lines, Ruleset

WINDOW = 20
"""Intervals that are remembered. Who had no connection in any of them is busy no more, and not told of."""

_ENOUGH = 1e-9


class LiveNat(NamedTuple):
    """The nat table of one family at one moment: its rules, and what they have counted."""

    rules: Ruleset
    counters: Reading


class EndpointRate(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint, as `ip:port`. Shares are of its Service port's connections.

    `expected` is None for an endpoint that traffic to the cluster IP never gets to; `share` where nothing was counted.
    `history` is connections per second in the last intervals, the latest last.
    """

    endpoint: str
    connections: int
    rate: float
    share: float | None
    expected: float | None
    history: tuple[float, ...]


class ServiceRate(msgspec.Struct, frozen=True, kw_only=True):
    """One Service port, called `namespace/name:port`. Its share is of all connections that were counted.

    Its endpoints are all there, also those that got nothing.
    """

    family: Family
    service: str
    protocol: str
    connections: int
    rate: float
    share: float | None
    history: tuple[float, ...]
    endpoints: tuple[EndpointRate, ...]


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """One interval: its length, what was counted in it, the busy Services, and how many the rules serve in all."""

    seconds: float
    connections: int
    services: tuple[ServiceRate, ...]
    known_services: int
    known_endpoints: int

    @property
    def rate(self) -> float:
        """Connections per second."""
        return self.connections / self.seconds


class Meter:
    """Turns readings into Rates. `namespace` leaves only that namespace's Services in them."""

    def __init__(self, namespace: str | None = None) -> None:
        self._namespace = namespace
        self._families: dict[Family, _FamilyMeter] = {}
        self._histories = _Histories()

    def take(self, readings: Mapping[Family, LiveNat], seconds: float) -> Rates:
        """What was counted in the `seconds` since the last reading; nothing in the first, where counting starts."""
        counts = {
            (family, port): found
            for family, live in readings.items()
            for port, found in self._meter(family).take(live).items()
            if self._wanted(family, port)
        }
        per_second: dict[Hashable, float] = {key: sum(found.values()) / seconds for key, found in counts.items()}
        for (family, _), found in counts.items():
            per_second |= {(family, chain): packets / seconds for chain, packets in found.items()}
        self._histories.add(per_second)
        total = sum(sum(found.values()) for found in counts.values())
        services = [
            self._service(family, port, counts.get((family, port), {}), total, seconds)
            for family, meter in self._families.items()
            for port in (*meter.served.ports, *meter.strays)
            if (family, port) in self._histories
        ]
        known = [port for meter in self._families.values() for port in self._known(meter.served)]
        return Rates(
            seconds=seconds,
            connections=total,
            services=tuple(sorted(services, key=_busiest_service)),
            known_services=len(known),
            known_endpoints=sum(len(port.endpoint_chains) for port in known),
        )

    def known_namespaces(self) -> set[str]:
        """The namespaces of the Services that have endpoints."""
        ports = (port for meter in self._families.values() for port in meter.served.ports.values())
        return {port.namespace for port in ports if port.policies}

    def _meter(self, family: Family) -> "_FamilyMeter":
        return self._families.setdefault(family, _FamilyMeter())

    def _known(self, served: Served) -> Iterator[ServedPort]:
        for port in served.ports.values():
            if port.policies and self._namespace in (None, port.namespace):
                yield port

    def _wanted(self, family: Family, port: str) -> bool:
        return self._namespace in (None, self._families[family].title(port).partition("/")[0])

    def _service(self, family: Family, port: str, counts: Mapping[str, int], total: int, seconds: float) -> ServiceRate:
        meter = self._families[family]
        own = sum(counts.values())
        endpoints = [
            EndpointRate(
                endpoint=meter.endpoint(chain),
                connections=counts.get(chain, 0),
                rate=counts.get(chain, 0) / seconds,
                share=_share(counts.get(chain, 0), own),
                expected=meter.expected(port, chain),
                history=self._histories.of((family, chain)),
            )
            for chain in meter.chains(port) | dict.fromkeys(counts)
        ]
        return ServiceRate(
            family=family,
            service=meter.title(port),
            protocol=meter.protocol(port),
            connections=own,
            rate=own / seconds,
            share=_share(own, total),
            history=self._histories.of((family, port)),
            endpoints=tuple(sorted(endpoints, key=_busiest_endpoint)),
        )
