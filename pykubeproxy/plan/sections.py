"""A large Plan as a sequence of small ones, each committed on its own.

The nft tools take time that grows with the square of the chains in one COMMIT: 60,000 chains need minutes in one
section, and seconds in many. What a packet meets between two commits must be as good as what it meets before or after
all of them. So new chains come before whatever leads to them, and all chains of one Service are committed together. A
single commit then changes all ways to Services that are in use, and with them the Services of which a way ends. What is
no longer used is deleted when nothing leads to it any more.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from msgspec.structs import replace

from pykubeproxy.plan.diff import ChainChange, Plan, RuleInsert
from pykubeproxy.plan.halfway import halfway
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import DISPATCH_CHAINS

# Chains in one COMMIT. Measured with 60,000 chains (iptables 1.8.9): 2.4 s with sections of 200 to 300 chains, 2.7 s
# with 600, 5 s with 60.
SECTION_SIZE = 300


Unit = list[ChainChange]
Split = Callable[[Plan], Iterable[Plan]]


def whole(plan: Plan) -> Iterator[Plan]:
    """Leave `plan` as it is: each table in one COMMIT, whatever that takes."""
    yield plan


def sections(plan: Plan, size: int = SECTION_SIZE) -> Iterator[Plan]:
    """Split `plan` into Plans to be committed one after the other; one that is small enough stays whole."""
    if len(plan.chains) <= size:
        yield plan
        return
    services = [change for change in plan.chains if names.service_hash(change.chain)]
    ways = [change for change in plan.chains if _is_way(change)]
    fixed = [change for change in plan.chains if not (names.service_hash(change.chain) or _is_way(change))]
    in_nat = [change for change in ways if change.table == "nat"]
    first, last = halfway([change for change in ways if change.table == "filter"], in_nat)
    before, together = _services(_kept(services), in_nat)

    yield Plan(chains=tuple(_kept(fixed)), deletes=plan.deletes)
    yield from _ways(first, size, inserts=_inserts(plan, "filter"))
    yield from _packed(before, size)
    yield from _ways(_kept(in_nat), size, together, inserts=_inserts(plan, "nat"))
    yield from _ways(_kept(last), size)
    gone = [change for change in (*fixed, *services, *in_nat, *last) if _is_gone(change)]
    # Emptied first: whatever leads to what, also where another program's hand is in it, all can be deleted then.
    yield from _packed([[replace(change, after=())] for change in gone if change.before], size)
    yield from _packed([[replace(change, before=())] for change in gone if change.after is None], size)


def _ways(
    changes: Sequence[ChainChange],
    size: int,
    together: Sequence[ChainChange] = (),
    inserts: tuple[RuleInsert, ...] = (),
) -> Iterator[Plan]:
    """Write the chains in which packets find their Service: new ones, then at once those in use, and others `together`.

    Jumps to them are inserted in the end.
    """
    new = _targets_first([change for change in changes if not _is_in_use(change)])
    yield from _packed(([change] for change in new), size)
    used = [change for change in changes if _is_in_use(change)]
    yield Plan(chains=tuple(sorted([*used, *together], key=_name)), inserts=inserts)


def _services(changes: Sequence[ChainChange], ways: Sequence[ChainChange]) -> tuple[list[Unit], Unit]:
    """The chains of Services: those to write before the ways that lead there, and those to write together with them.

    A way that ends, or will lead to another chain of its Service, is in use until then, and so are the chains that the
    Service has: they change together.

    Services come in the order in which the dispatch chains lead to them. At every later commit the kernel goes through
    all rules in that order, and is twice as fast where it finds them side by side in memory.
    """
    units = _units(changes)
    ordered: list[tuple[str, Unit]] = []
    for target in chain.from_iterable(map(_targets, _targets_first(ways))):
        own_hash = names.service_hash(target)
        if own_hash in units:
            ordered.append((own_hash, units.pop(own_hash)))
    before: list[Unit] = []
    together: Unit = []
    ending = _ending(ways)
    for own_hash, unit in (*ordered, *units.items()):
        existing = [change for change in unit if own_hash in ending and change.before is not None]
        together += existing
        before.append([change for change in unit if change.before is None] if existing else unit)
    return before, together


def _ending(ways: Iterable[ChainChange]) -> set[str]:
    """The hashes of the Services to which rules lead that will not be there any more, in whichever chain."""
    rules: set[str] = set()
    for way in ways:
        rules.update(map(_rule, way.before or ()))
    for way in ways:
        rules.difference_update(map(_rule, way.after or ()))
    return {names.service_hash(_target(rule)) for rule in rules}


def _units(changes: Sequence[ChainChange]) -> dict[str, Unit]:
    """The chains of Services, those of each one together, by hash.

    All but the endpoint chains of a ServicePort share a hash. An endpoint chain goes with the one that leads to it.
    """
    endpoints = {change.chain: change for change in changes if change.chain.startswith(names.ENDPOINT)}
    units: dict[str, Unit] = {}
    for change in changes:
        if change.chain not in endpoints:
            units.setdefault(names.service_hash(change.chain), []).append(change)
    for unit in units.values():
        for change in unit:  # it grows on the way, for groups of endpoints lead to endpoints
            found = (endpoints.pop(target, None) for target in _targets(change))
            unit.extend(endpoint for endpoint in found if endpoint is not None)
    units.update((names.service_hash(name), [change]) for name, change in endpoints.items())
    return units


def _targets_first(changes: Sequence[ChainChange]) -> list[ChainChange]:
    """The given changes, each after those of the chains that it leads to."""
    by_chain = {change.chain: change for change in changes}
    ordered: dict[str, ChainChange] = {}

    def visit(change: ChainChange) -> None:
        if change.chain in ordered:
            return
        for target in _targets(change):
            if target in by_chain:
                visit(by_chain[target])
        ordered[change.chain] = change

    for change in changes:
        visit(change)
    return list(ordered.values())


def _packed(units: Iterable[Unit], size: int) -> Iterator[Plan]:
    """Units put together up to about `size` chains; a unit is never divided."""
    section: Unit = []
    for unit in units:
        if section and len(section) + len(unit) > size:
            yield _plan(section)
            section = []
        section.extend(unit)
    if section:
        yield _plan(section)


def _plan(section: Unit) -> Plan:
    return Plan(chains=tuple(sorted(section, key=_name)))


def _name(change: ChainChange) -> str:
    return change.chain


def _targets(change: ChainChange) -> Iterator[str]:
    """Where the rules of a chain of ours will lead to; the target comes last in those that lead to chains."""
    yield from map(_target, change.after or ())


def _target(rule: str) -> str:
    return rule[rule.rfind(" -j ") + 4 :]


def _rule(line: str) -> str:
    """A rule without its chain; empty for one that only counts packets."""
    return line.partition(" ")[2].partition(" ")[2]


def _inserts(plan: Plan, table: str) -> tuple[RuleInsert, ...]:
    return tuple(insert for insert in plan.inserts if insert.table == table)


def _kept(changes: Iterable[ChainChange]) -> Unit:
    return [change for change in changes if not _is_gone(change)]


def _is_gone(change: ChainChange) -> bool:
    """True for a chain that is deleted, or emptied since nobody but another program leads there any more."""
    return change.after is None or (not change.after and change.chain.startswith(names.HASHED_PREFIXES))


def _is_dispatch_chain(change: ChainChange) -> bool:
    return (change.table, change.chain) in DISPATCH_CHAINS


def _is_in_use(change: ChainChange) -> bool:
    """True for a chain that is there, and for a dispatch chain, which is there as soon as it is led to."""
    return change.before is not None or _is_dispatch_chain(change)


def _is_way(change: ChainChange) -> bool:
    """True for the dispatch chains and for the chains between them and the Services."""
    return names.is_tree_chain(change.chain) or _is_dispatch_chain(change)
