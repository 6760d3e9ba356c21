"""A large Plan as a sequence of small ones, each committed on its own.

The nft tools take time that grows with the square of the chains in one COMMIT: 60,000 chains need minutes in one
section, and seconds in many. What a packet meets between two commits must be as good as what it meets before or after
all of them. The order is:

1. Fixed chains. A packet meets its Service as before.
2. Filter: the dispatch chains, as `halfway` says. A packet is refused as before, or as it will be.
3. Nat: the chains of Services. Nothing leads to those of new Services yet; all others are as they will be, except
   those of Services that lose a rule in a dispatch chain: they are in use as they are, and change in step 5.
4. Nat: new chains of dispatch trees. Nothing leads there yet.
5. Nat, in one COMMIT: the dispatch chains in use, and the chains of Services that lose a rule there. A packet now finds
   its Service as it will be.
6. Filter: the dispatch chains. A packet is refused as it will be.
7. Filter: rules for the unused ports of addresses (`unused_ports`). What is not served is refused.
8. Chains that go are emptied. Nothing leads there any more.
9. Chains that go are deleted.

Steps 3, 4, 7, 8 and 9 are divided into parts of about 300 chains; all chains of one Service are in the same part, and
new chains of a tree come before those that lead to them. After an interruption, the next sync makes a Plan from what it
finds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from msgspec.structs import replace

from pykubeproxy.plan.diff import ChainChange, Plan, RuleInsert
from pykubeproxy.plan.halfway import halfway
from pykubeproxy.plan.unused_ports import unused_ports_last
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import DISPATCH_CHAINS, leads_to_services
from pykubeproxy.rules.reading import target_of

# Chains in one COMMIT. Measured with 60,000 chains (iptables 1.8.9): 2.4 s with sections of 200 to 300 chains, 2.7 s
# with 600, 5 s with 60.
SECTION_SIZE = 300

Unit = list[ChainChange]
Split = Callable[[Plan], Iterable[Plan]]


def whole(plan: Plan) -> Iterator[Plan]:
    """Leave `plan` as it is: each table in one COMMIT, whatever that takes, but for the rules that must come last."""
    first, last = unused_ports_last(plan)
    yield first
    if last:
        yield Plan(chains=last)


def sections(plan: Plan, size: int = SECTION_SIZE) -> Iterator[Plan]:
    """Split `plan` into Plans to be committed one after the other; one that is small enough stays whole."""
    if len(plan.chains) <= size:
        yield from whole(plan)
        return
    plan, refusing = unused_ports_last(plan)
    services = [change for change in plan.chains if names.service_hash(change.chain)]
    dispatch = [change for change in plan.chains if _is_dispatch(change)]
    fixed = [change for change in plan.chains if not (names.service_hash(change.chain) or _is_dispatch(change))]
    in_nat = [change for change in dispatch if change.table == "nat"]
    first, last = halfway([change for change in dispatch if change.table == "filter"], in_nat)
    before, together = _services(_kept(services), in_nat)

    yield Plan(chains=tuple(_kept(fixed)), deletes=plan.deletes)
    yield from _dispatch(first, size, inserts=_inserts(plan, "filter"))
    yield from _packed(before, size)
    yield from _dispatch(_kept(in_nat), size, together, inserts=_inserts(plan, "nat"))
    yield from _dispatch(_kept(last), size)
    yield from _packed(([change] for change in refusing), size)
    gone = [change for change in (*fixed, *services, *in_nat, *last) if _is_gone(change)]
    # Emptied first: whatever leads to what, also where another program's hand is in it, all can be deleted then.
    yield from _packed([[replace(change, after=())] for change in gone if change.before], size)
    yield from _packed([[replace(change, before=())] for change in gone if change.after is None], size)


def _dispatch(
    changes: Sequence[ChainChange],
    size: int,
    together: Sequence[ChainChange] = (),
    inserts: tuple[RuleInsert, ...] = (),
) -> Iterator[Plan]:
    """Change the dispatch chains of one table, and those below them: new ones first, then in one COMMIT those in use.

    That COMMIT also changes the chains in `together`, and inserts jumps to dispatch chains.
    """
    new = _targets_first([change for change in changes if not _is_in_use(change)])
    yield from _packed(([change] for change in new), size)
    used = [change for change in changes if _is_in_use(change)]
    yield Plan(chains=tuple(sorted([*used, *together], key=_name)), inserts=inserts)


def _services(changes: Sequence[ChainChange], dispatch: Sequence[ChainChange]) -> tuple[list[Unit], Unit]:
    """The chains of Services: units to write before the dispatch chains, and changes to make together with those.

    The latter are those of Services that lose a rule in a dispatch chain: until it goes, their chains are in use.

    Services come in the order in which the dispatch chains lead to them. At every later commit the kernel goes through
    all rules in that order, and is twice as fast where it finds them side by side in memory.
    """
    units = _units(changes)
    ordered: list[tuple[str, Unit]] = []
    for target in chain.from_iterable(map(_targets, _targets_first(dispatch))):
        own_hash = names.service_hash(target)
        if own_hash in units:
            ordered.append((own_hash, units.pop(own_hash)))
    before: list[Unit] = []
    together: Unit = []
    losing = _losing(dispatch)
    for own_hash, unit in (*ordered, *units.items()):
        existing = [change for change in unit if own_hash in losing and change.before is not None]
        together += existing
        before.append([change for change in unit if change.before is None] if existing else unit)
    return before, together


def _losing(dispatch: Iterable[ChainChange]) -> set[str]:
    """The hashes of the Services to which a rule leads that will not be there any more in any dispatch chain."""
    rules: set[str] = set()
    for change in dispatch:
        rules.update(map(_rule, change.before or ()))
    for change in dispatch:
        rules.difference_update(map(_rule, change.after or ()))
    return {names.service_hash(target_of(rule)) for rule in rules}


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
    """Where the rules of a chain will lead to: chains, and verdicts."""
    yield from map(target_of, change.after or ())


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


def _is_in_use(change: ChainChange) -> bool:
    """True for a chain that is there, and for a dispatch chain, which is there as soon as it is led to."""
    return change.before is not None or (change.table, change.chain) in DISPATCH_CHAINS


def _is_dispatch(change: ChainChange) -> bool:
    """True for a dispatch chain, and for one below it in its tree."""
    return leads_to_services(change.table, change.chain)
