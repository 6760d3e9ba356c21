"""From a Snapshot to a Ruleset: the only place that knows all the generators.

A Compiler keeps the fragment of every ServicePort, and on a change makes anew only the fragments of the Services that
the change touches. Compiling from nothing is the same code with every Service touched, so that a partial result
cannot differ in kind from a full one.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules import external
from pykubeproxy.rules.dispatch import ChainUpdates, make_dispatch
from pykubeproxy.rules.endpoint import endpoint_chains
from pykubeproxy.rules.firewall import firewall_dispatch, firewall_rules
from pykubeproxy.rules.fragment import DispatchRule, Fragment
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.routing import Routing
from pykubeproxy.rules.ruleset import BUILTIN_CHAINS, TABLES, ChainId, Lines, Ruleset, Table
from pykubeproxy.rules.service import cluster_ip_dispatch, internal_masquerade
from pykubeproxy.rules.service_traffic import ServiceTraffic, route_service
from pykubeproxy.rules.skeleton import JUMPS, fixed_rules, shared_chains
from pykubeproxy.rules.spread import spread
from pykubeproxy.rules.unused_ports import unused_ports_dispatch

# Above this many endpoints, rules that exist per endpoint lose their comments (`docs/reference/iptables-rules.md`
# section 14).
LARGE_CLUSTER_ENDPOINTS = 1000


class _Kept(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is kept of a Service's fragments: the rules themselves are in the Ruleset, by the names of their chains."""

    chains: tuple[str, ...] = ()
    dispatch_rules: tuple[DispatchRule, ...] = ()
    endpoint_count: int = 0
    has_comments: bool = True


_NOTHING = _Kept()


class Compiler:
    """The Ruleset of one node and family, kept up to date with a Snapshot.

    `ruleset` is the current result; it changes in place. `rule_counts` are the numbers of rules in chains of our own,
    by table. A change of options needs a new Compiler.
    """

    def __init__(self, options: RuleOptions) -> None:
        self.options = options
        self.ruleset = Ruleset(tables={name: Table(chains={}) for name in TABLES}, shared=shared_chains(options))
        self.rule_counts = dict.fromkeys(TABLES, 0)
        self._held: dict[ServiceKey, Fragment] = {}
        self._aside: dict[ServiceKey, Fragment | None] = {}
        self._kept: dict[ServiceKey, _Kept] = {}
        self._dispatch = make_dispatch(options)
        self._endpoint_count = 0
        self._traffic: dict[ServiceKey, ServiceTraffic] = {}
        for (table, chain), lines in JUMPS.items():
            self.ruleset.tables[table].chains[chain] = lines
        self._store(dict(fixed_rules(options)))
        self._store(self._dispatch.chains())

    @property
    def is_large(self) -> bool:
        """True once there are so many endpoints that their rules go without comments."""
        return self._endpoint_count > LARGE_CLUSTER_ENDPOINTS

    def update(self, snapshot: Snapshot, touched: Iterable[ServiceKey]) -> set[ChainId]:
        """Bring the Ruleset up to date with `snapshot`, in which only the `touched` Services have changed.

        Returns the chains whose content may have changed, appeared or gone.
        """
        changed: set[ChainId] = set()
        return changed.union(*self.update_in_steps(snapshot, touched))

    def update_in_steps(self, snapshot: Snapshot, touched: Iterable[ServiceKey]) -> Iterator[set[ChainId]]:
        """Do as `update` does, one Service after the other: each step yields the chains that it may have changed.

        The last step is for the chains that all Services share, and for what depends on the number of endpoints. Before
        it, the Ruleset is not complete.
        """
        was_large = self.is_large
        changes = _Changes()
        touched = tuple(touched)
        for key in touched:
            self._replace(key, snapshot, changes)
            yield changes.take_chains()
        # The limit may have been crossed, or crossed and left again while the touched Services were compiled.
        for key in touched if self.is_large == was_large else tuple(self._kept):
            kept = self._kept.get(key)
            if kept is not None and kept.has_comments == self.is_large:
                self._replace(key, snapshot, changes)
        yield changes.chains | self._change_dispatch(changes)

    def hold(self, held: Mapping[ServiceKey, Fragment]) -> set[ChainId]:
        """Keep to `held` for Services that are only less by what is known of them, until `release`.

        For when objects that cannot be read yet may be all that is missing. A Service that has changed as well goes by
        what is known; one that changes later does so too, unless nothing is left of it. Returns the chains that this
        changes.
        """
        self._held = dict(held)
        changes = _Changes()
        for key, fragment in held.items():
            old = self._kept.get(key, _NOTHING)
            if _is_less(old, fragment):
                self._endpoint_count += fragment.endpoint_count - old.endpoint_count
                self._put(key, (fragment,), changes)
        return changes.chains | self._change_dispatch(changes)

    def release(self, snapshot: Snapshot) -> set[ChainId]:
        """Go by the objects again, which are all known now; return the chains that this changes."""
        held, self._held = self._held, {}
        return self.update(snapshot, held)

    def set_aside(self, aside: Mapping[ServiceKey, Fragment | None], snapshot: Snapshot) -> set[ChainId]:
        """Keep these Services, and no others any more, to the given rules (None: to none), whatever their objects say.

        Returns the chains that this changes.
        """
        before, self._aside = self._aside, dict(aside)
        touched = before.keys() ^ self._aside.keys()
        touched |= {key for key in before.keys() & self._aside.keys() if before[key] is not self._aside[key]}
        return self.update(snapshot, touched)

    def take_traffic(self) -> dict[ServiceKey, ServiceTraffic]:
        """What was decided, besides rules, about the Services that were compiled since this was asked last."""
        taken, self._traffic = self._traffic, {}
        return taken

    def owners(self) -> dict[str, ServiceKey]:
        """The Services by the names of their chains."""
        return {chain: key for key, kept in self._kept.items() for chain in kept.chains}

    def _replace(self, key: ServiceKey, snapshot: Snapshot, changes: "_Changes") -> None:
        """Compile one Service anew, and put its fragments in the place of the old ones."""
        self._endpoint_count -= self._kept.get(key, _NOTHING).endpoint_count
        routings, self._traffic[key] = route_service(snapshot, key, self.options)
        if key in self._aside:
            aside = self._aside[key]
            self._endpoint_count += aside.endpoint_count if aside is not None else 0
            self._put(key, (aside,) if aside is not None else (), changes)
            return
        fragments = self._compile(routings)
        held = self._held.get(key)
        if held is not None and _is_lost(_kept(fragments), held):
            self._endpoint_count += held.endpoint_count - sum(fragment.endpoint_count for fragment in fragments)
            fragments = (held,)
        self._put(key, fragments, changes)

    def _put(self, key: ServiceKey, fragments: tuple[Fragment, ...], changes: "_Changes") -> None:
        """Put the fragments of one Service in the place of those that it had."""
        old = self._kept.pop(key, _NOTHING)
        new = _kept(fragments)
        if fragments:
            self._kept[key] = new
        for chain in set(old.chains).difference(new.chains):
            self._set("nat", chain, None, changes.chains)
        for chain, lines in _chains(fragments):
            self._set("nat", chain, lines, changes.chains)
        changes.replace_dispatch_rules(old.dispatch_rules, new.dispatch_rules)

    def _compile(self, routings: tuple[Routing, ...]) -> tuple[Fragment, ...]:
        """The fragments of one Service; its endpoints are counted in."""
        self._endpoint_count += sum(routing.endpoint_count for routing in routings)
        return tuple(compile_port(routing, self.options, comments=not self.is_large) for routing in routings)

    def _change_dispatch(self, changes: "_Changes") -> set[ChainId]:
        """Bring the dispatch chains up to date with the changed dispatch rules; return the chains that differ now."""
        return self._store(self._dispatch.change(changes.removed, changes.added))

    def _store(self, updates: ChainUpdates) -> set[ChainId]:
        changed: set[ChainId] = set()
        for (table, chain), lines in updates.items():
            self._set(table, chain, lines, changed)
        return changed

    def _set(self, table: str, chain: str, lines: Lines | None, changed: set[ChainId]) -> None:
        """Put a chain's rules in place, or take the chain away; add it to `changed` if that makes a difference."""
        chains = self.ruleset.tables[table].chains
        before = chains.get(chain)
        if before == lines:
            return
        self.rule_counts[table] += len(lines or ()) - len(before or ())
        if lines is None:
            del chains[chain]
        else:
            chains[chain] = lines
        changed.add((table, chain))


class _Changes:
    """What an update changes, collected so that the shared chains are rebuilt once."""

    def __init__(self) -> None:
        self.chains: set[ChainId] = set()
        self.removed: list[DispatchRule] = []
        self.added: list[DispatchRule] = []

    def take_chains(self) -> set[ChainId]:
        """The chains that have changed since the last call."""
        taken, self.chains = self.chains, set()
        return taken

    def replace_dispatch_rules(self, old: tuple[DispatchRule, ...], new: tuple[DispatchRule, ...]) -> None:
        if old != new:
            self.removed += old
            self.added += new


def _chains(fragments: tuple[Fragment, ...]) -> Iterator[tuple[str, Lines]]:
    for fragment in fragments:
        yield from fragment.chains


def _is_less(new: _Kept, held: Fragment) -> bool:
    """True if `new` has nothing that `held` has not, and lacks a chain of it, or has no rules at all."""
    return not new.dispatch_rules or {chain for chain, _ in held.chains} > set(new.chains)


def _is_lost(new: _Kept, held: Fragment) -> bool:
    """True if a Service has no rules, or no endpoints, and had some while it was as `held`."""
    return not new.dispatch_rules or (new.endpoint_count == 0 and held.endpoint_count > 0)


def _kept(fragments: tuple[Fragment, ...]) -> _Kept:
    return _Kept(
        chains=tuple(chain for chain, _ in _chains(fragments)),
        dispatch_rules=tuple(rule for fragment in fragments for rule in fragment.dispatch_rules),
        endpoint_count=sum(fragment.endpoint_count for fragment in fragments),
        has_comments=any(fragment.has_comments for fragment in fragments),
    )


def compile_port(routing: Routing, options: RuleOptions, *, comments: bool = True) -> Fragment:
    """The fragment of one ServicePort. `comments`: also on rules that exist per endpoint."""
    return Fragment(
        chains=tuple((chain, tuple(rules)) for chain, rules in _port_chains(routing, options, comments=comments)),
        dispatch_rules=tuple(_port_dispatch(routing, options)),
        endpoint_count=routing.endpoint_count,
        has_comments=comments,
    )


def _port_dispatch(routing: Routing, options: RuleOptions) -> Iterator[DispatchRule]:
    yield from cluster_ip_dispatch(routing, options)
    yield from external.external_ip_dispatch(routing, options)
    yield from external.load_balancer_dispatch(routing, options)
    yield from firewall_dispatch(routing)
    yield from external.node_port_dispatch(routing, options)
    yield from external.health_check_dispatch(routing)
    yield from unused_ports_dispatch(routing, options)


def _port_chains(routing: Routing, options: RuleOptions, *, comments: bool) -> Iterator[tuple[str, Iterable[str]]]:
    """The chains of a ServicePort's own, in the order in which traffic from outside meets them."""
    if routing.firewall_chain:
        yield routing.firewall_chain, firewall_rules(routing.firewall_chain, routing, options)
    if routing.external_chain:
        yield routing.external_chain, external.external_rules(routing.external_chain, routing, options)
    for chain, endpoints in (
        (routing.cluster_chain, routing.endpoints.cluster),
        (routing.local_chain, routing.endpoints.local),
    ):
        if chain:
            masquerade = internal_masquerade(routing, options) if chain == routing.internal.chain else iter(())
            (_, rules), *groups = spread(chain, endpoints, routing, options, comments=comments)
            yield chain, (*masquerade, *rules)
            yield from groups
    yield from endpoint_chains(routing, options, comments=comments)


def compile_ruleset(
    snapshot: Snapshot, options: RuleOptions, held: Mapping[ServiceKey, Fragment] | None = None
) -> Ruleset:
    """The whole Ruleset of a Snapshot, compiled afresh, with its chains in the order in which the tools print them.

    `held` are the Services to keep to, as in `Compiler.hold`.
    """
    compiler = Compiler(options)
    compiler.update(snapshot, snapshot.services)
    compiler.hold(held or {})
    return in_print_order(compiler.ruleset)


def in_print_order(ruleset: Ruleset) -> Ruleset:
    """The given Ruleset with each table's built-in chains first and the others sorted by name."""
    tables = {}
    for name, table in ruleset.tables.items():
        builtin = [chain for chain in BUILTIN_CHAINS[name] if chain in table.chains]
        ours = sorted(table.chains.keys() - set(builtin))
        tables[name] = Table(chains={chain: table.chains[chain] for chain in builtin + ours}, policies=table.policies)
    return Ruleset(tables=tables, shared=ruleset.shared)
