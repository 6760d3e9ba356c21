"""Measuring new connections per second: one complete reading of the tables after the other. Pure."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pykubeproxy.model.ip import Family
from pykubeproxy.rules import names
from pykubeproxy.rules.reading import RuleView, chain_of, read
from pykubeproxy.rules.refusals import RefusalReason, naming_rules, reason_of
from pykubeproxy.rules.ruleset import Lines, Ruleset
from pykubeproxy.traffic.counters import Increases, Reading
from pykubeproxy.traffic.rates import (
    EndpointRate,
    Rates,
    RefusalRate,
    ServiceRate,
    endpoint_order,
    service_order,
    share,
)
from pykubeproxy.traffic.served import Served

WINDOW = 20
"""Intervals that are remembered. Who had no connection in any of them is not busy, and not told of."""

_Key = tuple[Family, str]
"""A Service port by its hash, or an endpoint by its chain, or what is refused of a Service port (`_refused_key`)."""


class LiveRules(NamedTuple):
    """The tables nat and filter of one family at one moment: their rules, and what they have counted."""

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

    def start(self, readings: Mapping[Family, LiveRules]) -> None:
        """Take the first reading, where counting starts."""
        self._families = {family: _FamilyMeter(live) for family, live in readings.items()}

    def take(self, readings: Mapping[Family, LiveRules], seconds: float) -> Rates:
        """What was counted in the `seconds` since the last reading, which must be of the same families."""
        counts: dict[_Key, dict[str, int]] = {}
        for family, meter in self._families.items():
            for hashed, what, packets in meter.take(readings[family]):
                if self._is_wanted(meter, hashed):
                    found = counts.setdefault((family, hashed), {})
                    found[what] = found.get(what, 0) + packets
        self._histories.add(_per_second(counts, seconds))
        total = sum(map(_connections, counts.values()))
        known = list(self._known())
        served = [(family, hashed) for family, hashed in known if hashed in self._families[family].served.ports]
        services = [
            self._service(key, counts.get(key, {}), total, seconds) for key in known if self._histories.has_any(key)
        ]
        return Rates(
            seconds=seconds,
            connections=total,
            refused=sum(sum(found.values()) for found in counts.values()) - total,
            services=tuple(sorted(services, key=service_order)),
            known_ports=len(served),
            known_services=len({self._families[family].title(hashed).partition(":")[0] for family, hashed in served}),
            known_endpoints=sum(len(self._families[family].endpoint_chains(hashed)) for family, hashed in served),
        )

    def namespaces(self) -> set[str]:
        """The namespaces of all Services that the rules serve."""
        return {port.namespace for meter in self._families.values() for port in meter.served.ports.values()}

    def _known(self) -> Iterator[_Key]:
        for family, meter in self._families.items():
            for hashed in meter.ports():
                if self._is_wanted(meter, hashed):
                    yield family, hashed

    def _is_wanted(self, meter: "_FamilyMeter", hashed: str) -> bool:
        return self._namespace in (None, meter.title(hashed).partition("/")[0])

    def _service(self, key: _Key, counts: Mapping[str, int], total: int, seconds: float) -> ServiceRate:
        family, hashed = key
        meter = self._families[family]
        own = _connections(counts)
        endpoints = [
            EndpointRate(
                endpoint=meter.served.target(chain)[1],
                connections=counts.get(chain, 0),
                rate=counts.get(chain, 0) / seconds,
                share=share(counts.get(chain, 0), own),
                expected=meter.served.ports[hashed].expected(chain),
                history=self._histories.of((family, chain)),
            )
            for chain in meter.endpoint_chains(hashed)
        ]
        refusals = [
            RefusalRate(
                reason=reason,
                connections=counts.get(reason, 0),
                rate=counts.get(reason, 0) / seconds,
                history=self._histories.of(_refused_key(key, reason)),
            )
            for reason in RefusalReason
            if _refused_key(key, reason) in self._histories
        ]
        return ServiceRate(
            family=family,
            service=meter.title(hashed),
            protocol=meter.protocol(hashed),
            connections=own,
            rate=own / seconds,
            share=share(own, total),
            history=self._histories.of(key),
            endpoints=tuple(sorted(endpoints, key=endpoint_order)),
            refusals=tuple(refusals),
        )


class _FamilyMeter:
    """The last reading of one family, and what its rules mean."""

    def __init__(self, live: LiveRules) -> None:
        self._increases = Increases()
        self._rules = live.rules
        self._refused: dict[str, tuple[str, str]] = {}
        self.served = Served(live.rules)
        list(self._increases.take(live.counters))

    def take(self, live: LiveRules) -> Iterator[tuple[str, str, int]]:
        """What has counted connections, and how many: a Service port's hash, and an endpoint chain or RefusalReason."""
        if _chains(live.rules) != _chains(self._rules):
            self.served = Served(live.rules)
        self._rules = live.rules
        increases = list(self._increases.take(live.counters))
        naming = naming_rules((rule for rule, _ in increases), live.rules)
        for rule, packets in increases:
            reason = reason_of(rule)
            if reason is not None:
                view = read(naming.get(rule, rule))
                if view.title:
                    yield self._refused_port(view), reason, packets
            elif (hashed := self.served.owner(chain_of(rule))) in self.served.ports:
                yield hashed, chain_of(rule), packets

    def ports(self) -> dict[str, None]:
        """The Service ports, by hash, that have endpoints, or of which connections were refused."""
        return dict.fromkeys((*self.served.ports, *self._refused))

    def endpoint_chains(self, hashed: str) -> Mapping[str, None]:
        """The chains of a Service port's endpoints."""
        port = self.served.ports.get(hashed)
        return port.endpoint_chains if port is not None else {}

    def title(self, hashed: str) -> str:
        """The name of a Service port; that of a chain where no rule tells."""
        port = self.served.ports.get(hashed)
        if port is None:
            return self._refused[hashed][0]
        return port.title or next(iter(port.policies))

    def protocol(self, hashed: str) -> str:
        """The protocol of a Service port."""
        chains = self.endpoint_chains(hashed)
        return self.served.target(next(iter(chains)))[0] if chains else self._refused[hashed][1]

    def _refused_port(self, view: RuleView) -> str:
        """The hash of the Service port that a rule names whose connections are refused."""
        hashed = names.port_hash(view.title, view.protocol)
        self._refused[hashed] = view.title, view.protocol.upper()
        return hashed


class _Histories:
    """Connections per second in the last intervals, of whoever had any."""

    def __init__(self) -> None:
        self._rates: dict[_Key, deque[float]] = {}

    def __contains__(self, key: _Key) -> bool:
        return key in self._rates

    def has_any(self, key: _Key) -> bool:
        """True if a Service port has had connections, be they served or refused."""
        return key in self or any(_refused_key(key, reason) in self for reason in RefusalReason)

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
    return rules.chains("nat")


def _refused_key(port: _Key, reason: str) -> _Key:
    family, hashed = port
    return family, f"{hashed} {reason}"


def _connections(counts: Mapping[str, int]) -> int:
    """Those of a Service port that got to an endpoint."""
    return sum(packets for what, packets in counts.items() if what.startswith(names.ENDPOINT))


def _per_second(counts: Mapping[_Key, Mapping[str, int]], seconds: float) -> dict[_Key, float]:
    """The rates of Service ports and endpoints, and of what is refused."""
    rates: dict[_Key, float] = {}
    for key, found in counts.items():
        if own := _connections(found):
            rates[key] = own / seconds
        for what, packets in found.items():
            rates[(key[0], what) if what.startswith(names.ENDPOINT) else _refused_key(key, what)] = packets / seconds
    return rates
