"""Measuring new connections per second: one complete reading of the nat tables after the other. Pure."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pykubeproxy.model.ip import Family
from pykubeproxy.rules.reading import chain_of
from pykubeproxy.rules.ruleset import Lines, Ruleset
from pykubeproxy.traffic.counters import Increases, Reading
from pykubeproxy.traffic.rates import EndpointRate, Rates, ServiceRate, share
from pykubeproxy.traffic.served import Served

WINDOW = 20
"""Intervals that are remembered. Who had no connection in any of them is not busy, and not told of."""

_Key = tuple[Family, str]
"""A Service port by its hash, or an endpoint by its chain."""


class LiveNat(NamedTuple):
    """The nat table of one family at one moment: its rules, and what they have counted."""

    rules: Ruleset
    counters: Reading


class Meter:
    """Turns readings into Rates; with a `namespace`, those of its Services only.

    What rules have counted before the first reading is not told; see Increases for rules that are written anew.
    """

    def __init__(self, namespace: str | None = None) -> None:
        self._namespace = namespace
        self._families: dict[Family, _FamilyMeter] = {}
        self._histories = _Histories()

    def start(self, readings: Mapping[Family, LiveNat]) -> None:
        """Take the first reading, where counting starts."""
        self._families = {family: _FamilyMeter(live) for family, live in readings.items()}

    def take(self, readings: Mapping[Family, LiveNat], seconds: float) -> Rates:
        """What was counted in the `seconds` since the last reading, which must be of the same families."""
        counts: dict[_Key, dict[str, int]] = {}
        for family, meter in self._families.items():
            for chain, packets in meter.take(readings[family]):
                hashed = meter.served.owner(chain)
                if hashed in meter.served.ports and self._is_wanted(meter.served, hashed):
                    found = counts.setdefault((family, hashed), {})
                    found[chain] = found.get(chain, 0) + packets
        self._histories.add(_per_second(counts, seconds))
        total = sum(sum(found.values()) for found in counts.values())
        services = [
            self._service(family, hashed, counts.get((family, hashed), {}), total, seconds)
            for family, hashed in self._known()
            if (family, hashed) in self._histories
        ]
        return Rates(
            seconds=seconds,
            connections=total,
            services=tuple(sorted(services, key=_service_order)),
            known_services=sum(1 for _ in self._known()),
            known_endpoints=sum(
                len(self._families[family].served.ports[hashed].endpoint_chains) for family, hashed in self._known()
            ),
        )

    def namespaces(self) -> set[str]:
        """The namespaces of all Services that the rules serve."""
        return {port.namespace for meter in self._families.values() for port in meter.served.ports.values()}

    def _known(self) -> Iterator[_Key]:
        for family, meter in self._families.items():
            for hashed in meter.served.ports:
                if self._is_wanted(meter.served, hashed):
                    yield family, hashed

    def _is_wanted(self, served: Served, hashed: str) -> bool:
        return self._namespace in (None, served.ports[hashed].namespace)

    def _service(
        self, family: Family, hashed: str, counts: Mapping[str, int], total: int, seconds: float
    ) -> ServiceRate:
        served = self._families[family].served
        port = served.ports[hashed]
        chains = port.endpoint_chains
        own = sum(counts.values())
        endpoints = [
            EndpointRate(
                endpoint=served.target(chain)[1],
                connections=counts.get(chain, 0),
                rate=counts.get(chain, 0) / seconds,
                share=share(counts.get(chain, 0), own),
                expected=port.expected(chain),
                history=self._histories.of((family, chain)),
            )
            for chain in chains
        ]
        return ServiceRate(
            family=family,
            service=port.title or next(iter(port.policies)),
            protocol=served.target(next(iter(chains)))[0],
            connections=own,
            rate=own / seconds,
            share=share(own, total),
            history=self._histories.of((family, hashed)),
            endpoints=tuple(sorted(endpoints, key=_endpoint_order)),
        )


class _FamilyMeter:
    """The last reading of one family, and what its rules mean."""

    def __init__(self, live: LiveNat) -> None:
        self._increases = Increases()
        self._rules = live.rules
        self.served = Served(live.rules)
        list(self._increases.take(live.counters))

    def take(self, live: LiveNat) -> Iterator[tuple[str, int]]:
        """The endpoint chains that have counted connections, and how many."""
        if _chains(live.rules) != _chains(self._rules):
            self.served = Served(live.rules)
        self._rules = live.rules
        return ((chain_of(rule), packets) for rule, packets in self._increases.take(live.counters))


class _Histories:
    """Connections per second in the last intervals, of whoever had any."""

    def __init__(self) -> None:
        self._rates: dict[_Key, deque[float]] = {}

    def __contains__(self, key: _Key) -> bool:
        return key in self._rates

    def of(self, key: _Key) -> tuple[float, ...]:
        """The rates since the first connection, as far back as is remembered."""
        return tuple(self._rates.get(key, ()))

    def add(self, latest: Mapping[_Key, float]) -> None:
        """One interval more; who is not in `latest` had nothing in it."""
        for key in self._rates.keys() | latest.keys():
            self._rates.setdefault(key, deque(maxlen=WINDOW)).append(latest.get(key, 0.0))
        self._rates = {key: rates for key, rates in self._rates.items() if any(rates)}


def _chains(rules: Ruleset) -> Mapping[str, Lines]:
    """What tells of Services. What built-in chains have counted is a part of `rules`, too, and differs every time."""
    return rules.tables["nat"].chains if "nat" in rules.tables else {}


def _per_second(counts: Mapping[_Key, Mapping[str, int]], seconds: float) -> dict[_Key, float]:
    """The rates of Service ports and endpoints."""
    rates = {}
    for (family, hashed), found in counts.items():
        rates[family, hashed] = sum(found.values()) / seconds
        for chain, packets in found.items():
            rates[family, chain] = packets / seconds
    return rates


def _service_order(rate: ServiceRate) -> tuple[int, float, str, str, Family]:
    return -rate.connections, -sum(rate.history), rate.service, rate.protocol, rate.family


def _endpoint_order(rate: EndpointRate) -> tuple[int, float, str]:
    return -rate.connections, -sum(rate.history), rate.endpoint
