"""New connections per Service port and per endpoint, as totals that only grow. Pure.

The kernel counts for a rule only while its chain lives; totals go on. How many are kept is limited, because every one
becomes a time series of every node: what has no place of its own is counted together, under OTHER.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from pykubeproxy.model.endpoint import PortKey
from pykubeproxy.model.service import Protocol, service_ports
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.observe.counters import Increases, Reading, RuleKey, drops_invalid, target_of
from pykubeproxy.rules.names import ChainNames
from pykubeproxy.rules.options import RuleOptions

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


OTHER_PORTS = PortName("", OTHER, "", "")
OTHER_ENDPOINTS = EndpointName(OTHER_PORTS, "")

Owners = Callable[[], Mapping[str, PortName]]
"""Tells the Service port of each endpoint chain. Asked only where rules have no comments: in large clusters."""

_Name = TypeVar("_Name", bound=Hashable)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many Service ports and endpoints, of one family, get a time series; 0 for none."""

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
        self._existing: Collection[_Name] = ()
        self._gone: dict[_Name, None] = {}

    def exist(self, names: Collection[_Name]) -> None:
        """These names exist now; all others are gone."""
        self._existing = names
        self._gone = {name: None for name in self._gone if name not in names}
        self._gone |= {name: None for name in self._totals if name not in names}

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
    invalid: int | None = None


class ConnectionCounter:
    """Turns readings of the counters of one family into totals. `counts` is replaced, never changed."""

    def __init__(self, limits: Limits) -> None:
        self.counts = ConnectionCounts()
        self._increases = Increases()
        self._names: dict[RuleKey, EndpointName | None] = {}
        self._services: Totals[PortName] = Totals(limits.services)
        self._endpoints: Totals[EndpointName] = Totals(limits.endpoints)
        self._invalid: int | None = None

    def rewritten(self, chains: Iterable[str]) -> None:
        """These chains have just been written anew."""
        self._increases.rewritten(chains)

    def take(self, reading: Reading, owners: Owners) -> None:
        """Count what is new in a complete reading, which is kept."""
        if reading.keys() != self._names.keys():
            self._learn(reading, owners)
        for key, packets in self._increases.take(reading):
            endpoint = self._names[key]
            if endpoint is not None:
                self._services.add(endpoint.port, packets)
                self._endpoints.add(endpoint, packets)
            elif drops_invalid(key[1]):
                self._invalid = (self._invalid or 0) + packets
        self.counts = ConnectionCounts(
            services=self._services.series(OTHER_PORTS),
            endpoints=self._endpoints.series(OTHER_ENDPOINTS),
            invalid=self._invalid,
        )

    def _learn(self, reading: Reading, owners: Owners) -> None:
        """Find out what the rules of a reading count."""
        self._names = _name_all(reading, self._names, owners)
        endpoints = {name for name in self._names.values() if name is not None}
        self._endpoints.exist(endpoints)
        self._services.exist({endpoint.port for endpoint in endpoints})
        if self._invalid is None and any(drops_invalid(rule) for _, rule in reading):
            self._invalid = 0


def chain_owners(snapshot: Snapshot, options: RuleOptions) -> dict[str, PortName]:
    """The Service port of each endpoint chain that a Snapshot leads to."""
    owners = {}
    for key, service in snapshot.services.items():
        by_port = snapshot.endpoints(key, options.family, options.node_name)
        for port in service_ports(service, options.family):
            names, owner = ChainNames(port), _titled(port.title, port.protocol)
            for endpoint in by_port.get(PortKey(port.name, port.protocol), ()):
                owners[names.endpoint(endpoint.text)] = owner
    return owners


def _name_all(
    reading: Reading, known: Mapping[RuleKey, EndpointName | None], owners: Owners
) -> dict[RuleKey, EndpointName | None]:
    """What each rule sends to; None for a rule that sends to no endpoint, or to one of nobody's."""
    named: dict[RuleKey, EndpointName | None] = {}
    by_title: dict[tuple[Protocol, str], PortName] = {}
    by_chain: Mapping[str, PortName] | None = None
    for key in reading:
        named[key] = known.get(key)
        target = target_of(key[1]) if named[key] is None else None
        if target is None:
            continue
        protocol, title, endpoint = target
        if title:
            owner: PortName | None = by_title.setdefault((protocol, title), _titled(title, protocol))
        else:
            by_chain = owners() if by_chain is None else by_chain
            owner = by_chain.get(key[0])
        named[key] = None if owner is None else EndpointName(owner, endpoint)
    return named


def _titled(title: str, protocol: Protocol) -> PortName:
    """The Service port that comments call `namespace/name:port`."""
    namespace, _, rest = title.partition("/")
    service, _, port = rest.partition(":")
    return PortName(namespace, service, port, protocol.value)
