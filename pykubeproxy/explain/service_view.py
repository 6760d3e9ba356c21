"""The ServicePorts that the rules of a node know: the values that `services` shows."""

from collections.abc import Iterator, Mapping

import msgspec

from pykubeproxy.explain.changes import AddressKind, TrafficKind
from pykubeproxy.explain.cluster_view import AddressHolder, ClusterView, address_of_endpoint
from pykubeproxy.explain.findings import Finding
from pykubeproxy.explain.service_causes import NoLocalEndpoints, NoReadyEndpoints, TrafficPolicy
from pykubeproxy.explain.service_port_state import ServicePortState, states, traffic_of
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.service import Protocol, service_ports
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules import names, text
from pykubeproxy.rules.fragment import leads_to_services
from pykubeproxy.rules.owners import Owners
from pykubeproxy.rules.reading import kind_of, read, title_of
from pykubeproxy.rules.refusals import naming_rules
from pykubeproxy.rules.routing import Refusal
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.rules.text import RuleKind

_CHAINS_OF_SERVICES = (names.CLUSTER_POLICY, names.LOCAL_POLICY, names.EXTERNAL, names.SOURCE_RANGES)


class _Value(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class PortNumber(_Value, frozen=True):
    """A port of a protocol."""

    port: int
    protocol: Protocol


class ServiceAddress(_Value, frozen=True):
    """An address of a ServicePort. Of one that is refused, rules tell only whether it is a cluster IP."""

    address_kind: AddressKind
    address: str


class ServiceEndpoint(_Value, frozen=True):
    """An endpoint, as `ip:port`, to which rules send traffic; `is_local` is None if it is not known.

    `pod` (`namespace/name`) and `node` are from the objects, each "" if they do not tell.
    """

    endpoint: str
    is_local: bool | None
    pod: str = ""
    node: str = ""


class RefusedTraffic(_Value, frozen=True):
    """Traffic of one kind that rules refuse; `finding` is what the objects say of the reason.

    `packets` is how many were refused since the rule was written, None if that is not known. A client whose packets are
    dropped sends them again: each counts.
    """

    traffic: TrafficKind
    reason: Refusal
    packets: int | None = None
    finding: Finding | None = None


class ServiceView(_Value, frozen=True):
    """One ServicePort in the rules of one IP family.

    `title` is its name, `namespace/name:port`. `ports` has one entry, unless rules contradict each other.
    `has_all_endpoints` is False where rules lead to the endpoints of this node only, so that others are not known.
    A traffic policy that rules do not show is not in `policies`. `affinity_seconds` is None without session affinity,
    `source_ranges` where the addresses of the load balancer are open to all; `packets_out_of_range` were dropped since
    their rule was written, None if it is not known how many. `packets_to_unused_ports` of its addresses were refused;
    only the first of several ServicePorts at an address has them, and None is as before, or without such a rule.
    `is_dispatched` is False if no rule leads from the cluster IP to the chains of the ServicePort, which then are left
    over.
    """

    title: str
    family: Family
    ports: tuple[PortNumber, ...]
    addresses: tuple[ServiceAddress, ...]
    node_ports: tuple[PortNumber, ...]
    endpoints: tuple[ServiceEndpoint, ...]
    has_all_endpoints: bool
    policies: Mapping[TrafficPolicy, str]
    affinity_seconds: int | None
    source_ranges: tuple[str, ...] | None
    packets_out_of_range: int | None
    packets_to_unused_ports: int | None
    refused: tuple[RefusedTraffic, ...]
    is_served_outside: bool
    is_dispatched: bool

    @property
    def namespace(self) -> str:
        """The Service's namespace."""
        return self.title.partition("/")[0]

    @property
    def service(self) -> str:
        """The Service, as `namespace/name`."""
        return self.title.partition(":")[0]

    def is_at(self, ip: IP) -> bool:
        """True if `ip` is an address of the ServicePort, or of one of its endpoints."""
        address = text.address(ip.text)
        start = f"[{address}]:" if ":" in address else f"{address}:"
        return any(each.address == address for each in self.addresses) or any(
            each.endpoint.startswith(start) for each in self.endpoints
        )


class UnequalServices(_Value, frozen=True):
    """The ServicePorts, by name, that objects have and the rules of a family have not, and the other way round."""

    family: Family
    only_in_objects: tuple[str, ...] = ()
    only_in_rules: tuple[str, ...] = ()


def service_views(
    ruleset: Ruleset, family: Family, cluster: ClusterView | None = None, counters: Mapping[str, int] | None = None
) -> list[ServiceView]:
    """All ServicePorts in the rules of one family, by name.

    With a `cluster`, its objects explain what is refused, and tell the pods and nodes of endpoints.
    `counters` are the packets that rules have counted, by their text.
    """
    chains = _chains(ruleset)
    found = states(ruleset, Owners(ruleset), chains)
    packets = _refused_packets(counters or {}, ruleset)
    return [_view(title, family, found[title], cluster, packets) for title in sorted(chains)]


def unequal_services(
    views: Mapping[Family, list[ServiceView]], snapshot: Snapshot, *, is_complete: bool
) -> Iterator[UnequalServices]:
    """How the ServicePorts in rules and in objects differ, for each family in which they do.

    Chains that no rule leads to are left over: such a ServicePort is not in force. Unless `is_complete`, there may be
    more objects than are in `snapshot`: then nothing is said of what only rules have.
    """
    for family, its in views.items():
        in_objects = {port.title for service in snapshot.services.values() for port in service_ports(service, family)}
        in_rules = {view.title: view.is_dispatched for view in its}
        missing = tuple(sorted(title for title in in_objects if not in_rules.get(title)))
        surplus = tuple(title for title in in_rules if is_complete and title not in in_objects)
        if missing or surplus:
            yield UnequalServices(family=family, only_in_objects=missing, only_in_rules=surplus)


def _chains(ruleset: Ruleset) -> dict[str, list[str]]:
    """All ServicePorts by title, each with the chains of its own."""
    found: dict[str, list[str]] = {}
    for name, table in ruleset.tables.items():
        for chain, lines in table.chains.items():
            if leads_to_services(name, chain):
                found |= {title: found.get(title, []) for title in map(title_of, lines) if title}
            elif chain.startswith(_CHAINS_OF_SERVICES):
                title = next(filter(None, map(title_of, lines)), "")
                if title:
                    found.setdefault(title, []).append(chain)
    return found


def _refused_packets(counters: Mapping[str, int], ruleset: Ruleset) -> dict[tuple[str, TrafficKind | RuleKind], int]:
    """How many packets were refused, by ServicePort, and by kind of traffic, or for their source or port."""
    found: dict[tuple[str, TrafficKind | RuleKind], int] = {}
    naming = naming_rules(counters, ruleset)
    for rule, packets in counters.items():
        kind = kind_of(rule)
        if kind in (RuleKind.NO_ENDPOINTS, RuleKind.NO_LOCAL_ENDPOINTS):
            key: tuple[str, TrafficKind | RuleKind] = title_of(rule), traffic_of(read(rule))
        elif kind is RuleKind.NOT_IN_SOURCE_RANGES:
            key = title_of(rule), kind
        elif rule in naming:
            key = title_of(naming[rule]), RuleKind.UNUSED_PORTS
        else:
            continue
        found[key] = found.get(key, 0) + packets
    return found


def _view(
    title: str,
    family: Family,
    state: ServicePortState,
    cluster: ClusterView | None,
    packets: Mapping[tuple[str, TrafficKind | RuleKind], int],
) -> ServiceView:
    return ServiceView(
        title=title,
        family=family,
        ports=_numbers(state.ports),
        addresses=tuple(
            ServiceAddress(address_kind=kind, address=address) for address, kind in sorted(state.addresses.items())
        ),
        node_ports=_numbers(state.node_ports),
        endpoints=tuple(_endpoints(state, cluster.endpoint_holders(title) if cluster is not None else {})),
        has_all_endpoints=bool(state.endpoints) or not state.local_endpoints,
        policies=state.policies,
        affinity_seconds=state.affinity_seconds,
        source_ranges=None if state.source_ranges is None else tuple(sorted(state.source_ranges)),
        packets_out_of_range=packets.get((title, RuleKind.NOT_IN_SOURCE_RANGES)),
        packets_to_unused_ports=packets.get((title, RuleKind.UNUSED_PORTS)),
        refused=tuple(_refused(title, state, cluster, packets)),
        is_served_outside=TrafficKind.EXTERNAL in state.served or TrafficKind.EXTERNAL in state.refusals,
        is_dispatched=state.is_dispatched,
    )


def _numbers(ports: frozenset[tuple[Protocol, int]]) -> tuple[PortNumber, ...]:
    return tuple(PortNumber(port=port, protocol=protocol) for protocol, port in sorted(ports))


def _endpoints(state: ServicePortState, holders: Mapping[str, AddressHolder]) -> Iterator[ServiceEndpoint]:
    """All endpoints that are known. Which ones are local is told only where a traffic policy asks for that."""
    local = set(state.local_endpoints)
    is_known = bool(local) or Refusal.NO_LOCAL_ENDPOINTS in state.refusals.values()
    for endpoint in dict.fromkeys((*state.endpoints, *state.local_endpoints)):
        holder = holders.get(address_of_endpoint(endpoint), AddressHolder())
        is_local = endpoint in local if is_known else None
        yield ServiceEndpoint(endpoint=endpoint, is_local=is_local, pod=holder.pod, node=holder.node)


def _refused(
    title: str,
    state: ServicePortState,
    cluster: ClusterView | None,
    packets: Mapping[tuple[str, TrafficKind | RuleKind], int],
) -> Iterator[RefusedTraffic]:
    for traffic in TrafficKind:
        if reason := state.refusals.get(traffic):
            finding = _finding(title, reason, cluster) if cluster is not None else None
            counted = packets.get((title, traffic))
            yield RefusedTraffic(traffic=traffic, reason=reason, packets=counted, finding=finding)


def _finding(title: str, reason: Refusal, cluster: ClusterView) -> Finding | None:
    if reason is Refusal.NO_ENDPOINTS:
        return cluster.finding(NoReadyEndpoints(title))
    return cluster.finding(NoLocalEndpoints(TrafficPolicy.UNKNOWN, title))
