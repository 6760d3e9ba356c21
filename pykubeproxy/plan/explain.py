"""A Plan as a person would tell it: Service by Service, and in words where those say more than rules.

A change of one endpoint rewrites a dozen rules. What it means is one sentence: which endpoint came or went, how many
there are now, and what share of the traffic each gets.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from pykubeproxy.plan.diff import ChainChange, Plan, RuleInsert, is_owned
from pykubeproxy.plan.owners import Owners, title_of
from pykubeproxy.plan.wording import ChainLines, words
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import Door
from pykubeproxy.rules.ruleset import ChainId, Lines, Ruleset, is_builtin
from pykubeproxy.rules.skeleton import JUMPS

_DOORS = frozenset((door.table, door.chain) for door in Door)


class ServiceChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes for one ServicePort, in words and in rules."""

    service: str
    words: tuple[str, ...]
    chains: tuple[ChainLines, ...] = ()


class KeptRules(msgspec.Struct, frozen=True):
    """Rules of other programs in one chain, which stay as they are."""

    table: str
    chain: str
    rules: Lines


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A Plan, told.

    `other` are chains that belong to no Service. `inserts` are jump rules that are missing; `out_of_order` tells of
    built-in chains in which ours are met in another order than a fresh node would have them, which is left as it is.
    """

    services: tuple[ServiceChange, ...] = ()
    other: tuple[ChainLines, ...] = ()
    inserts: tuple[RuleInsert, ...] = ()
    out_of_order: tuple[ChainId, ...] = ()
    kept: tuple[KeptRules, ...] = ()


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
        (by_service.setdefault(title, []) if title else other).append(_lines(change))
    other += dispatch.pop("", [])
    services = tuple(
        _service(title, by_service.get(title, []), dispatch.get(title, []), now, then)
        for title in sorted(by_service.keys() | dispatch.keys())
    )
    return Explanation(
        services=services,
        other=tuple(other),
        inserts=plan.inserts,
        out_of_order=tuple(_out_of_order(live)),
        kept=tuple(_kept(live)),
    )


def _is_dispatch(change: ChainChange) -> bool:
    """True for the chains that lead to Services, in whatever layout."""
    if (change.table, change.chain) in _DOORS:
        return True
    return change.chain.startswith(names.HASHED_PREFIXES) and not names.service_hash(change.chain)


def _by_title(change: ChainChange) -> dict[str, ChainLines]:
    """The rules that come and go in a chain that Services share, by ServicePort; under "" those of none."""
    removed, added = _difference(change)
    found: dict[str, tuple[list[str], list[str]]] = {}
    for position, lines in enumerate((removed, added)):
        for line in lines:
            found.setdefault(title_of(line), ([], []))[position].append(line)
    if not found:
        found[""] = ([], [])
    return {
        title: ChainLines(
            sign=_sign(change), table=change.table, chain=change.chain, removed=tuple(gone), added=tuple(came)
        )
        for title, (gone, came) in found.items()
    }


def _lines(change: ChainChange) -> ChainLines:
    removed, added = _difference(change)
    return ChainLines(sign=_sign(change), table=change.table, chain=change.chain, removed=removed, added=added)


def _difference(change: ChainChange) -> tuple[Lines, Lines]:
    before, after = change.before or (), change.after or ()
    return _surplus(before, after), _surplus(after, before)


def _surplus(lines: Lines, others: Lines) -> Lines:
    """The `lines` that are not among `others`, each as often as it is there more often, in their order."""
    left = Counter(others)
    found = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            found.append(line)
    return tuple(found)


def _sign(change: ChainChange) -> str:
    if change.before is None:
        return "+"
    return "-" if change.after is None else "~"


def _service(title: str, own: list[ChainLines], dispatch: list[ChainLines], now: Owners, then: Owners) -> ServiceChange:
    if not own and _is_moved(dispatch):
        return ServiceChange(service=title, words=("only its dispatch differs",))
    told = tuple(words(own, dispatch, now, then))
    return ServiceChange(service=title, words=told, chains=tuple(own + dispatch))


def _is_moved(dispatch: list[ChainLines]) -> bool:
    """True if the same rules come in one chain that go in another."""
    gone = Counter(_without_chain(line, lines) for lines in dispatch for line in lines.removed)
    came = Counter(_without_chain(line, lines) for lines in dispatch for line in lines.added)
    return gone == came


def _without_chain(line: str, lines: ChainLines) -> tuple[str, str]:
    return lines.table, line.removeprefix(f"-A {lines.chain} ")


def _out_of_order(live: Ruleset) -> Iterator[ChainId]:
    for (table, chain), jumps in JUMPS.items():
        present = [line for line in live.lines(table, chain) or () if line in jumps]
        if present != [jump for jump in jumps if jump in present]:
            yield table, chain


def _kept(live: Ruleset) -> Iterator[KeptRules]:
    """What other programs have in the tables that we write to."""
    for name, table in live.tables.items():
        for chain, lines in table.chains.items():
            ours: Iterable[str] = JUMPS.get((name, chain), ())
            if not is_builtin(name, chain) and is_owned(name, chain):
                continue
            foreign = tuple(line for line in lines if line not in ours)
            if foreign:
                yield KeptRules(name, chain, foreign)
