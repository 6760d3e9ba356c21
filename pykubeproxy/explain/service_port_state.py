"""What the rules of one Ruleset do for one ServicePort: its addresses, endpoints, policies, and what is refused.

`service_changes` compares two states, of the live rules and of the desired ones. Both are read by the functions here:
what it finds is a difference between the rules.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from pykubeproxy.explain.changes import AddressKind, TrafficKind
from pykubeproxy.explain.service_causes import TrafficPolicy
from pykubeproxy.model.service import Protocol
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import leads_to_services
from pykubeproxy.rules.owners import Owners
from pykubeproxy.rules.reading import RuleView, read, target_of, title_of
from pykubeproxy.rules.routing import Refusal
from pykubeproxy.rules.ruleset import Lines, Ruleset
from pykubeproxy.rules.text import RuleKind

CLUSTER, LOCAL = "Cluster", "Local"

_PROTOCOLS = frozenset(protocol.lower() for protocol in Protocol)
_REFUSALS = {
    RuleKind.NO_ENDPOINTS: Refusal.NO_ENDPOINTS,
    RuleKind.NO_LOCAL_ENDPOINTS: Refusal.NO_LOCAL_ENDPOINTS,
}
_ADDRESS_KINDS = {
    RuleKind.CLUSTER_IP: AddressKind.CLUSTER_IP,
    RuleKind.EXTERNAL_IP: AddressKind.EXTERNAL_IP,
    RuleKind.LOAD_BALANCER_IP: AddressKind.LOAD_BALANCER_IP,
}
_EXTERNAL_DISPATCH = (names.EXTERNAL_SERVICES, names.EXTERNAL)


class ServicePortState(msgspec.Struct, frozen=True, kw_only=True):
    """One ServicePort in one Ruleset; all fields are empty if no rule is for it.

    `ports` are the protocols and ports at which its `addresses` are served, or refused; `node_ports` are protocols and
    ports as well. `served` and `refusals` tell which traffic goes to endpoints and which is refused: external traffic
    may be both, served for clients on this node and refused for others. A policy that the rules do not show is missing.
    `affinity_seconds` is None without session affinity, and without endpoints, where rules do not show it.
    `masqueraded` are the sources whose connections to the cluster IP are masqueraded, as a rule names them.
    `source_ranges` is None where no source is refused; `has_open_balancer` tells of load-balancer addresses that all
    sources reach. `has_chains` tells that some chain of the ServicePort has rules, though none may lead there.
    """

    ports: frozenset[tuple[Protocol, int]] = frozenset()
    addresses: Mapping[str, AddressKind] = {}
    node_ports: frozenset[tuple[Protocol, int]] = frozenset()
    served: frozenset[TrafficKind] = frozenset()
    refusals: Mapping[TrafficKind, Refusal] = {}
    policies: Mapping[TrafficPolicy, str] = {}
    endpoints: tuple[str, ...] = ()
    local_endpoints: tuple[str, ...] = ()
    affinity_seconds: int | None = None
    masqueraded: str | None = None
    source_ranges: frozenset[str] | None = None
    has_open_balancer: bool = False
    has_chains: bool = False

    @property
    def is_known(self) -> bool:
        """True if there are rules for the ServicePort."""
        return self.has_chains or bool(self.served or self.refusals)

    @property
    def is_dispatched(self) -> bool:
        """True if there is a rule for the cluster IP, which every ServicePort has."""
        return TrafficKind.INTERNAL in self.served or TrafficKind.INTERNAL in self.refusals


def states(ruleset: Ruleset, owners: Owners, chains: Mapping[str, Collection[str]]) -> dict[str, ServicePortState]:
    """The states of some ServicePorts in `ruleset`, whose chains `owners` knows.

    `chains` has these ServicePorts by title, each with chains of its own, whether they are in this Ruleset or not.
    """
    entries: dict[str, list[RuleView]] = {title: [] for title in chains}
    for name, table in ruleset.tables.items():
        for chain, lines in table.chains.items():
            # Most chains are those of endpoints, and are soon passed over.
            if not chain.startswith(names.ENDPOINT) and leads_to_services(name, chain):
                for line in lines:
                    if (title := title_of(line)) in entries and _is_entry(view := read(line)):
                        entries[title].append(view)
    nat = ruleset.chains("nat")
    return {title: _state(views, nat, owners, chains[title]) for title, views in entries.items()}


def _state(
    entries: Sequence[RuleView], nat: Mapping[str, Lines], owners: Owners, chains: Iterable[str]
) -> ServicePortState:
    # Endpoints' chains have hashes of their own.
    own = {chain for chain in (*chains, *(entry.target for entry in entries)) if not chain.startswith(names.ENDPOINT)}
    hashes = sorted({names.service_hash(chain) for chain in own} - {""})
    cluster, local, external, firewall = (
        {chain: nat[chain] for digest in hashes if nat.get(chain := prefix + digest)}
        for prefix in (names.CLUSTER_POLICY, names.LOCAL_POLICY, names.EXTERNAL, names.SOURCE_RANGES)
    )
    refusals = {traffic_of(entry): _REFUSALS[entry.kind] for entry in entries if entry.kind in _REFUSALS}
    return ServicePortState(
        ports=frozenset(map(_port, filter(_is_for_address, entries))),
        addresses=_addresses(entries),
        node_ports=frozenset(map(_port, filter(_is_for_node_port, entries))),
        served=frozenset(traffic_of(entry) for entry in entries if _is_served(entry)),
        refusals=refusals,
        policies=dict(_policies(entries, refusals, _views(external))),
        endpoints=_endpoints(owners, cluster),
        local_endpoints=_endpoints(owners, local),
        affinity_seconds=_affinity([*cluster.values(), *local.values()]),
        masqueraded=_masqueraded([*_views(cluster), *_views(local)]),
        source_ranges=frozenset(view.source for view in _views(firewall) if view.source) if firewall else None,
        has_open_balancer=any(
            entry.kind is RuleKind.LOAD_BALANCER_IP and entry.target.startswith(names.EXTERNAL) for entry in entries
        ),
        has_chains=bool(cluster or local or external or firewall),
    )


def _is_entry(view: RuleView) -> bool:
    """True for a rule such as a Service proxy writes: for one port. Anybody may have written others to these chains."""
    return bool(view.port) and view.protocol in _PROTOCOLS


def traffic_of(entry: RuleView) -> TrafficKind:
    """Which traffic a rule in a dispatch chain is for."""
    if entry.refuses:
        return TrafficKind.EXTERNAL if entry.chain.startswith(_EXTERNAL_DISPATCH) else TrafficKind.INTERNAL
    return TrafficKind.INTERNAL if entry.kind is RuleKind.CLUSTER_IP else TrafficKind.EXTERNAL


def _is_served(entry: RuleView) -> bool:
    return entry.kind in _ADDRESS_KINDS or (_is_for_node_port(entry) and not entry.refuses)


def _is_for_address(entry: RuleView) -> bool:
    return bool(entry.address) and (entry.kind in _ADDRESS_KINDS or entry.refuses)


def _is_for_node_port(entry: RuleView) -> bool:
    return not entry.destination and (entry.refuses or entry.target.startswith(names.EXTERNAL))


def _port(entry: RuleView) -> tuple[Protocol, int]:
    return Protocol(entry.protocol.upper()), entry.port


def _addresses(entries: Iterable[RuleView]) -> dict[str, AddressKind]:
    """Addresses with what they are; of those that are only refused, no more is known than their traffic."""
    found: dict[str, AddressKind] = {}
    for entry in filter(_is_for_address, entries):
        if entry.kind in _ADDRESS_KINDS:
            found[entry.address] = _ADDRESS_KINDS[entry.kind]
        else:
            is_internal = traffic_of(entry) is TrafficKind.INTERNAL
            found.setdefault(entry.address, AddressKind.CLUSTER_IP if is_internal else AddressKind.NOT_CLUSTER_IP)
    return found


def _policies(
    entries: Iterable[RuleView], refusals: Mapping[TrafficKind, Refusal], external: Sequence[RuleView]
) -> Iterator[tuple[TrafficPolicy, str]]:
    """The traffic policies that rules show: the external one in the chain that serves `external` traffic."""
    if external:
        is_local = any(view.kind is RuleKind.ROUTE_LOCAL for view in external)
        yield TrafficPolicy.EXTERNAL, LOCAL if is_local else CLUSTER
    if refusals.get(TrafficKind.INTERNAL) is Refusal.NO_LOCAL_ENDPOINTS:
        yield TrafficPolicy.INTERNAL, LOCAL
    for entry in entries:
        if entry.kind is RuleKind.CLUSTER_IP:
            yield TrafficPolicy.INTERNAL, LOCAL if entry.target.startswith(names.LOCAL_POLICY) else CLUSTER


def _views(chains: Mapping[str, Lines]) -> list[RuleView]:
    return [read(line) for lines in chains.values() for line in lines]


def _endpoints(owners: Owners, chains: Iterable[str]) -> tuple[str, ...]:
    return tuple(endpoint for chain in chains for endpoint in owners.endpoints(chain))


def _affinity(chains: Iterable[Lines]) -> int | None:
    """The seconds of session affinity; where there is some, the first rule for an endpoint asks for it."""
    first = (next((line for line in lines if target_of(line).startswith(names.ENDPOINT)), "") for lines in chains)
    return max((read(line).affinity_seconds for line in first), default=0) or None


def _masqueraded(views: Iterable[RuleView]) -> str | None:
    """The sources in the rule that marks connections to the cluster IP to be masqueraded; None if there is none."""
    return next((view.source for view in views if view.target == names.MARK_MASQ and view.address), None)
