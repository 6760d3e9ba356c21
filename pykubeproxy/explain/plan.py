"""A Plan as a person would tell it: Service by Service, and in words where those say more than rules.

A change of one endpoint rewrites a dozen rules. What it means is one sentence: which endpoint came or went, how many
there are now, and what share of the traffic each gets.
"""

from collections import Counter

import msgspec

from pykubeproxy.explain.chain_lines import DOORS, ChainLines, chain_lines
from pykubeproxy.explain.staying import (
    KeptRules,
    RepeatedJump,
    StaleChain,
    kept_rules,
    out_of_order,
    repeated_jumps,
    stale_chains,
)
from pykubeproxy.explain.wording import words
from pykubeproxy.plan.diff import ChainChange, Plan, RuleInsert
from pykubeproxy.rules import names
from pykubeproxy.rules.owners import Owners, title_of
from pykubeproxy.rules.ruleset import ChainId, Ruleset, Unread


class ServiceChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes for one ServicePort, in words and in rules."""

    service: str
    words: tuple[str, ...]
    chains: tuple[ChainLines, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A Plan, told.

    `other` are chains that belong to no Service. `inserts` are jump rules that are missing; `out_of_order` tells of
    built-in chains in which ours are met in another order than a fresh node would have them, which is left as it is,
    and so are `repeated` ones. `kept` are other programs' rules, and `stale` the chains that stay because of them.
    `unread` are the tables of which some rules could not be read.
    """

    services: tuple[ServiceChange, ...] = ()
    other: tuple[ChainLines, ...] = ()
    inserts: tuple[RuleInsert, ...] = ()
    out_of_order: tuple[ChainId, ...] = ()
    repeated: tuple[RepeatedJump, ...] = ()
    kept: tuple[KeptRules, ...] = ()
    stale: tuple[StaleChain, ...] = ()
    unread: dict[str, Unread] = {}


def explain(plan: Plan, desired: Ruleset, live: Ruleset) -> Explanation:
    """Tell `plan`, which was made from `desired` and `live`."""
    now, then = Owners(live), Owners(desired)
    by_service: dict[str, list[ChainLines]] = {}
    dispatch: dict[str, list[ChainLines]] = {}
    other: list[ChainLines] = []
    for change in plan.chains:
        if _is_dispatch(change):
            for title, lines in _by_title(change).items():
                dispatch.setdefault(title, []).append(lines)
            continue
        title = then.title(change.chain) or now.title(change.chain)
        (by_service.setdefault(title, []) if title else other).append(chain_lines(change))
    other += dispatch.pop("", [])
    services = tuple(
        _service(title, by_service.get(title, []), dispatch.get(title, []), now, then)
        for title in sorted(by_service.keys() | dispatch.keys())
    )
    kept = tuple(kept_rules(live))
    return Explanation(
        services=services,
        other=tuple(other),
        inserts=plan.inserts,
        out_of_order=tuple(out_of_order(live)),
        repeated=tuple(repeated_jumps(live)),
        kept=kept,
        stale=tuple(stale_chains(plan, kept)),
        unread=live.unread,
    )


def _is_dispatch(change: ChainChange) -> bool:
    """True for the chains that lead to Services, in whatever layout."""
    if (change.table, change.chain) in DOORS:
        return True
    return change.chain.startswith(names.HASHED_PREFIXES) and not names.service_hash(change.chain)


def _by_title(change: ChainChange) -> dict[str, ChainLines]:
    """The rules that come and go in a chain that Services share, by ServicePort.

    Under "" are those of none, and what there is to say about the order of all.
    """
    whole = chain_lines(change)
    found: dict[str, tuple[list[str], list[str]]] = {}
    for position, lines in enumerate((whole.removed, whole.added)):
        for line in lines:
            found.setdefault(title_of(line), ([], []))[position].append(line)
    if whole.order or not found:
        found.setdefault("", ([], []))
    return {
        title: msgspec.structs.replace(
            whole, removed=tuple(gone), added=tuple(came), order="" if title else whole.order
        )
        for title, (gone, came) in found.items()
    }


def _service(title: str, own: list[ChainLines], dispatch: list[ChainLines], now: Owners, then: Owners) -> ServiceChange:
    if not own and _is_moved(dispatch):
        return ServiceChange(service=title, words=("only its dispatch differs",))
    if not dispatch and all(lines.has_only_order for lines in own):
        return ServiceChange(service=title, words=("only the order of its rules differs",), chains=tuple(own))
    told = tuple(words(own, dispatch, now, then))
    return ServiceChange(service=title, words=told, chains=tuple(own + dispatch))


def _is_moved(dispatch: list[ChainLines]) -> bool:
    """True if the same rules come in one chain that go in another."""
    gone = Counter(_without_chain(line, lines) for lines in dispatch for line in lines.removed)
    came = Counter(_without_chain(line, lines) for lines in dispatch for line in lines.added)
    return gone == came


def _without_chain(line: str, lines: ChainLines) -> tuple[str, str]:
    return lines.table, line.removeprefix(f"-A {lines.chain} ")
