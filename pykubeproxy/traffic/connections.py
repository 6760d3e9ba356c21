"""New connections per Service port and per endpoint, as totals that only grow. Pure.

The kernel counts for a rule only while its chain lives; totals go on. How many are kept is limited, because every one
becomes a time series of every node: what has no place of its own is counted together, under OTHER.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from pykubeproxy.model.endpoint import PortKey
from pykubeproxy.model.service import Protocol, ServiceKey, service_ports
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules.names import ChainNames
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.reading import endpoint_of, read, title_of
from pykubeproxy.rules.refusals import RefusalReason, naming_rules, reason_of
from pykubeproxy.rules.ruleset import ChainId, Ruleset
from pykubeproxy.traffic.counters import Increases, Reading, drops_invalid, sends_to_endpoint

OTHER = "_other"
"""Stands for everything without a place of its own; no name in Kubernetes has an underscore."""


class PortName(NamedTuple):
    """A Service port. `port` is its name, empty for an unnamed one."""

    namespace: str
    service: str
    port: str
    protocol: str


class EndpointName(NamedTuple):
    """An endpoint of a Service port, as `ip:port`."""

    port: PortName
    endpoint: str


class RefusedName(NamedTuple):
    """Refused connections to a Service, to any of its ports, for one reason."""

    namespace: str
    service: str
    reason: str


OTHER_PORTS = PortName("", OTHER, "", "")
OTHER_ENDPOINTS = EndpointName(OTHER_PORTS, "")
OTHER_REFUSED = RefusedName("", OTHER, "")

Owners = Callable[[], Iterable[tuple[str, PortName]]]
"""Tells the Service port of each rule that sends to an endpoint. Asked only where those have no comments."""

_NO_RULES = Ruleset()

_Name = TypeVar("_Name", bound=Hashable)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many Service ports and endpoints, of one family, get a time series; 0 for none.

    `services` is the limit for Service ports, and once more for Services whose connections are refused, by reason.
    """

    services: int = 500
    endpoints: int = 200


class Totals(Generic[_Name]):
    """Totals by name, at most `limit` of them, and one of the rest.

    A name gets its place when it first counts something, and keeps it. Where all are taken, a name that is gone gives
    its place up, the one that went first going first; without any, the rest counts.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._totals: dict[_Name, int] = {}
        self._rest = 0
        self._existing: set[_Name] = set()
        self._gone: dict[_Name, None] = {}

    def exist(self, names: Iterable[_Name]) -> None:
        """These names exist now; all others are gone. Of silent ones, no more are kept than could be shown."""
        self._existing = set()
        for name in names:
            if name in self._totals or len(self._existing) <= self._limit:
                self._existing.add(name)
        self._gone = {name: None for name in self._gone if name not in self._existing}
        self._gone |= {name: None for name in self._totals if name not in self._existing}

    def add(self, name: _Name, amount: int) -> None:
        """Count for one name."""
        if name not in self._totals and len(self._totals) >= self._limit and self._gone:
            first = next(iter(self._gone))
            del self._gone[first], self._totals[first]
        if name in self._totals or len(self._totals) < self._limit:
            self._totals[name] = self._totals.get(name, 0) + amount
        else:
            self._rest += amount

    def series(self, rest: _Name) -> dict[_Name, int]:
        """The totals, that of the rest under the name `rest`; none at all with a limit of 0.

        As long as there is room for all names that exist, those that have counted nothing are there as well.
        """
        silent = {name: 0 for name in self._existing if name not in self._totals}
        series = dict(self._totals)
        if len(series) + len(silent) <= self._limit:
            series |= silent
        if self._rest and self._limit:
            series[rest] = self._rest
        return series


class ConnectionCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of one family; `invalid` packets dropped are None if no rule drops them."""

    services: Mapping[PortName, int] = {}
    endpoints: Mapping[EndpointName, int] = {}
    refused: Mapping[RefusedName, int] = {}
    invalid: int | None = None


class ConnectionCounter:
    """Turns readings of the counters of one family into totals. `counts` is replaced, never changed."""

    def __init__(self, limits: Limits) -> None:
        self.counts = ConnectionCounts()
        self._increases = Increases()
        self._names: dict[str, PortName | RefusedName | None] = {}
        self._services: Totals[PortName] = Totals(limits.services)
        self._endpoints: Totals[EndpointName] = Totals(limits.endpoints)
        self._refused: Totals[RefusedName] = Totals(limits.services)
        self._invalid: int | None = None

    def rewritten(self, chains: Iterable[ChainId]) -> None:
        """These chains, as (table, name), have just been written anew."""
        self._increases.rewritten(chains)

    def take(self, reading: Reading, owners: Owners, rules: Ruleset = _NO_RULES) -> None:
        """Count what is new in a complete reading. `rules` tell which Services addresses belong to."""
        if reading.keys() != self._names.keys():
            self._learn(reading, owners, rules)
        for rule, packets in self._increases.take(reading):
            counted = self._names[rule]
            if isinstance(counted, PortName):
                self._services.add(counted, packets)
                self._endpoints.add(_endpoint(rule, counted), packets)
            elif counted is not None:
                self._refused.add(counted, packets)
            elif drops_invalid(rule):
                self._invalid = (self._invalid or 0) + packets
        self.counts = ConnectionCounts(
            services=self._services.series(OTHER_PORTS),
            endpoints=self._endpoints.series(OTHER_ENDPOINTS),
            refused=self._refused.series(OTHER_REFUSED),
            invalid=self._invalid,
        )

    def _learn(self, reading: Reading, owners: Owners, rules: Ruleset) -> None:
        """Find out what the rules of a reading count."""
        self._names = _names_of(reading, self._names, owners)
        self._names.update(_names_of_unused_ports(reading, rules))
        self._endpoints.exist(_endpoint(rule, port) for rule, port in self._names.items() if isinstance(port, PortName))
        self._services.exist(port for port in self._names.values() if isinstance(port, PortName))
        self._refused.exist(name for name in self._names.values() if isinstance(name, RefusedName))
        if self._invalid is None and any(name is None and drops_invalid(rule) for rule, name in self._names.items()):
            self._invalid = 0


def rule_owners(snapshot: Snapshot, options: RuleOptions, ruleset: Ruleset) -> Iterator[tuple[str, PortName]]:
    """The Service port of each rule that sends to an endpoint, in the Ruleset that a Snapshot leads to.

    One after the other: where they are asked for there are many thousands.
    """
    for chain, owner in chain_owners(snapshot, options):
        lines = ruleset.lines("nat", chain)
        if lines:
            yield lines[-1], owner


def chain_owners(snapshot: Snapshot, options: RuleOptions) -> Iterator[tuple[str, PortName]]:
    """The Service port of each endpoint chain that a Snapshot leads to."""
    for key, service in snapshot.services.items():
        by_port = snapshot.endpoints(key, options.family, options.node_name)
        for port in service_ports(service, options.family):
            names, owner = ChainNames(port), _titled(port.title, port.protocol)
            for endpoint in by_port.get(PortKey(port.name, port.protocol), ()):
                yield names.endpoint(endpoint.text), owner


def _names_of(
    reading: Reading, known: Mapping[str, PortName | RefusedName | None], owners: Owners
) -> dict[str, PortName | RefusedName | None]:
    """Whose endpoint each rule sends to, or whose connections it refuses; None for a rule that does neither."""
    names: dict[str, PortName | RefusedName | None] = {}
    by_title: dict[tuple[Protocol, str], PortName] = {}
    has_untitled = False
    for rule in reading:
        names[rule] = known.get(rule)
        if names[rule] is not None:
            continue
        if not sends_to_endpoint(rule):
            names[rule] = refused_name(rule)
            continue
        view = read(rule)
        if view.title:
            protocol = Protocol(view.protocol.upper())
            names[rule] = by_title.setdefault((protocol, view.title), _titled(view.title, protocol))
        else:
            has_untitled = True
    for rule, owner in owners() if has_untitled else ():
        if rule in names:
            names[rule] = owner
    return names


def _names_of_unused_ports(reading: Reading, rules: Ruleset) -> Iterator[tuple[str, RefusedName]]:
    """The Services at whose addresses rules for unused ports count; not of those at which there is none any more."""
    for rule, naming in naming_rules(reading, rules).items():
        yield rule, _refused(title_of(naming), RefusalReason.UNUSED_PORT)


def refused_name(rule: str) -> RefusedName | None:
    """What a rule counts if it refuses connections to the Service that it names; None for any other rule."""
    reason, title = reason_of(rule), title_of(rule)
    return None if reason is None or not title else _refused(title, reason)


def _refused(title: str, reason: RefusalReason) -> RefusedName:
    return RefusedName(*ServiceKey.of_title(title), reason.value)


def _endpoint(rule: str, port: PortName) -> EndpointName:
    """The endpoint of a port that a rule sends to."""
    return EndpointName(port, endpoint_of(rule))


def _titled(title: str, protocol: Protocol) -> PortName:
    """The Service port that comments call `namespace/name:port`."""
    namespace, _, rest = title.partition("/")
    service, _, port = rest.partition(":")
    return PortName(namespace, service, port, protocol.value)
