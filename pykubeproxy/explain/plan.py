"""A Plan explained: what it changes for each ServicePort, in which chains, and what it leaves as it is.

A change of one endpoint rewrites a dozen rules. What it means is one value: which endpoint came or went, and how many
there are now.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from pykubeproxy.explain.chain_diff import ChainDiff, chain_diff
from pykubeproxy.explain.changes import OnlyDispatchDiffers, OnlyOrderDiffers, ServiceChange
from pykubeproxy.explain.fixed_rules import FixedRuleChange, fixed_rule_changes
from pykubeproxy.explain.service_changes import service_changes
from pykubeproxy.explain.service_port_state import ServicePortState, states
from pykubeproxy.explain.staying import (
    DisorderedJumps,
    KeptRules,
    RepeatedJump,
    StaleChain,
    disordered_jumps,
    kept_rules,
    repeated_jumps,
    stale_chains,
)
from pykubeproxy.explain.summary import Summary, summarize
from pykubeproxy.plan.diff import ChainChange, Plan, RuleInsert
from pykubeproxy.rules.fragment import leads_to_services
from pykubeproxy.rules.owners import Owners
from pykubeproxy.rules.reading import kind_of, read, title_of
from pykubeproxy.rules.ruleset import Ruleset, Unread
from pykubeproxy.rules.text import RuleKind


class ServicePortDiff(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What changes for one ServicePort (`namespace/name:port`): `changes` is empty if only the rules show it."""

    service_port: str
    changes: tuple[ServiceChange, ...] = ()
    chains: tuple[ChainDiff, ...] = ()


class UnusedPorts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The addresses at which connections to ports that no Service has are refused from now on, or no longer."""

    refused: tuple[str, ...] = ()
    no_longer_refused: tuple[str, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a Plan changes in the rules of one IP family, and what it leaves.

    `fixed_rules` is what changes for all Services; `other_chains` belong to none. `missing_jumps` are inserted into
    built-in chains; `disordered_jumps` and `repeated_jumps` stay as they are. `kept_rules` are other programs' rules,
    and `stale_chains` stay because of them. `unread` has the tables of which some rules could not be read.
    """

    summary: Summary = Summary()

    service_ports: tuple[ServicePortDiff, ...] = ()
    unused_ports: UnusedPorts = UnusedPorts()
    fixed_rules: tuple[FixedRuleChange, ...] = ()
    other_chains: tuple[ChainDiff, ...] = ()
    missing_jumps: tuple[RuleInsert, ...] = ()
    disordered_jumps: tuple[DisorderedJumps, ...] = ()
    repeated_jumps: tuple[RepeatedJump, ...] = ()
    kept_rules: tuple[KeptRules, ...] = ()
    stale_chains: tuple[StaleChain, ...] = ()
    unread: dict[str, Unread] = {}


def explain(plan: Plan, desired: Ruleset, live: Ruleset) -> Explanation:
    """Explain `plan`, which was made from `desired` and `live`."""
    before, after = Owners(live), Owners(desired)
    own: dict[str, list[ChainDiff]] = {}
    dispatch: dict[str, list[ChainDiff]] = {}
    for change in plan.chains:
        if leads_to_services(change.table, change.chain):
            for title, diff in _by_title(change).items():
                dispatch.setdefault(title, []).append(diff)
        else:
            title = after.title(change.chain) or before.title(change.chain)
            own.setdefault(title, []).append(chain_diff(change))
    other = own.pop("", []) + dispatch.pop("", [])
    chains = {title: [diff.chain for diff in own.get(title, ())] for title in sorted(own.keys() | dispatch.keys())}
    was, will_be = states(live, before, chains), states(desired, after, chains)
    kept = tuple(kept_rules(live))
    return Explanation(
        summary=summarize(plan),
        service_ports=tuple(
            _service_port(title, own.get(title, []), dispatch.get(title, []), was[title], will_be[title])
            for title in chains
        ),
        unused_ports=_unused_ports(other),
        fixed_rules=tuple(fixed_rule_changes(plan.chains)),
        other_chains=tuple(other),
        missing_jumps=plan.inserts,
        disordered_jumps=tuple(disordered_jumps(live)),
        repeated_jumps=tuple(repeated_jumps(live)),
        kept_rules=kept,
        stale_chains=tuple(stale_chains(plan, kept)),
        unread=live.unread,
    )


def _by_title(change: ChainChange) -> dict[str, ChainDiff]:
    """The rules that come and go in a dispatch chain, by ServicePort.

    Under "" are those of none, and what is wrong with the order of all.
    """
    whole = chain_diff(change)
    found: dict[str, tuple[list[str], list[str]]] = {}
    for position, lines in enumerate((whole.removed, whole.added)):
        for line in lines:
            found.setdefault(title_of(line), ([], []))[position].append(line)
    if whole.order or not found:
        found.setdefault("", ([], []))
    return {
        title: msgspec.structs.replace(
            whole, removed=tuple(gone), added=tuple(came), order=None if title else whole.order
        )
        for title, (gone, came) in found.items()
    }


def _unused_ports(diffs: Iterable[ChainDiff]) -> UnusedPorts:
    """What changes for unused ports; a rule that only moves to another chain changes nothing."""
    gone, came = set[str](), set[str]()
    for diff in diffs:
        for lines, addresses in ((diff.removed, gone), (diff.added, came)):
            views = map(read, (line for line in lines if kind_of(line) is RuleKind.UNUSED_PORTS))
            addresses.update(view.address for view in views)
    return UnusedPorts(refused=tuple(sorted(came - gone)), no_longer_refused=tuple(sorted(gone - came)))


def _service_port(
    title: str, own: list[ChainDiff], dispatch: list[ChainDiff], before: ServicePortState, after: ServicePortState
) -> ServicePortDiff:
    if not own and _is_moved(dispatch):
        return ServicePortDiff(service_port=title, changes=(OnlyDispatchDiffers(),))
    if not dispatch and all(diff.order and not (diff.removed or diff.added) for diff in own):
        return ServicePortDiff(service_port=title, changes=(OnlyOrderDiffers(),), chains=tuple(own))
    changes = tuple(service_changes(before, after))
    return ServicePortDiff(service_port=title, changes=changes, chains=tuple(own + dispatch))


def _is_moved(dispatch: list[ChainDiff]) -> bool:
    """True if every rule that goes comes again in another chain, and no other rule comes."""
    gone = Counter(_without_chain(line, diff) for diff in dispatch for line in diff.removed)
    came = Counter(_without_chain(line, diff) for diff in dispatch for line in diff.added)
    return gone == came


def _without_chain(line: str, diff: ChainDiff) -> tuple[str, str]:
    return diff.table, line.removeprefix(f"-A {diff.chain} ")
