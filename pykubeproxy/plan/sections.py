"""A large Plan as a sequence of small ones, each committed on its own.

The nft tools take time that grows with the square of the chains in one COMMIT: 60,000 chains need minutes in one
section, and seconds in many. What a packet meets between two commits must be as good as what it meets before or after
all of them. So new chains come before whatever leads to them, all chains of one Service are committed together, the
doors come after those, and what is no longer used is deleted when nothing leads to it any more.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from msgspec.structs import replace

from pykubeproxy.plan.diff import ChainChange, Plan
from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import Door

# Chains in one COMMIT. Measured with 60,000 chains (iptables 1.8.9): 2.4 s with sections of 200 to 300 chains, 2.7 s
# with 600, 5 s with 60.
SECTION_SIZE = 300

_DOORS = frozenset((door.table, door.chain) for door in Door)
_TABLES = ("filter", "nat", "mangle")

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
    kept = [change for change in plan.chains if change.after is not None]
    gone = [change for change in plan.chains if change.after is None]
    yield Plan(chains=tuple(change for change in kept if _is_fixed(change)), deletes=plan.deletes)
    for table in _TABLES:
        units = list(_building_order([change for change in kept if change.table == table]))
        yield from _packed(units, size)
        doors = tuple(change for change in kept if change.table == table and _is_door(change))
        yield Plan(chains=doors, inserts=tuple(insert for insert in plan.inserts if insert.table == table))
    # Emptied first: whatever leads to what, also where another program's hand is in it, all can be deleted then.
    yield from _packed([[replace(change, after=())] for change in gone if change.before], size)
    yield from _packed([[replace(change, before=())] for change in gone], size)


def _building_order(changes: Sequence[ChainChange]) -> Iterator[Unit]:
    """The chains to write, apart from doors and fixed ones: those of Services first, then the ways that lead there.

    Services come in the order in which one comes to them from the doors. At every later commit the kernel goes through
    all rules in that order, and is twice as fast where it finds them side by side in memory.
    """
    units = _services(changes)
    ways = _targets_first([change for change in changes if _is_door(change) or _is_region(change)])
    for target in chain.from_iterable(map(_targets, ways)):
        unit = units.pop(names.service_hash(target), None)
        if unit is not None:
            yield unit
    yield from units.values()
    yield from ([change] for change in ways if not _is_door(change))


def _services(changes: Iterable[ChainChange]) -> dict[str, Unit]:
    """The chains of Services, those of each one together, by hash.

    All but the endpoint chains of a ServicePort share a hash. An endpoint chain goes with the one that leads to it.
    """
    units: dict[str, Unit] = {}
    endpoints = {}
    owner: dict[str, str] = {}
    for change in changes:
        own_hash = names.service_hash(change.chain)
        if not own_hash:
            continue
        if change.chain.startswith(names.ENDPOINT):
            endpoints[change.chain] = change
        else:
            units.setdefault(own_hash, []).append(change)
        owner.update((target, change.chain) for target in _targets(change))
    for name, change in endpoints.items():
        units.setdefault(_owner_hash(name, owner), []).append(change)
    return units


def _owner_hash(chain: str, owner: dict[str, str]) -> str:
    """The hash of the Service that an endpoint chain belongs to; its own if nothing in the Plan leads to it."""
    while chain.startswith(names.ENDPOINT) and chain in owner:
        chain = owner[chain]
    return names.service_hash(chain)


def _targets_first(changes: Sequence[ChainChange]) -> list[ChainChange]:
    """The same changes, each after those of the chains that it leads to."""
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
    for line in change.after or ():
        yield line[line.rfind(" -j ") + 4 :]


def _is_door(change: ChainChange) -> bool:
    return (change.table, change.chain) in _DOORS


def _is_fixed(change: ChainChange) -> bool:
    """True for chains that lead to no Service."""
    return not _is_door(change) and not change.chain.startswith(names.HASHED_PREFIXES)


def _is_region(change: ChainChange) -> bool:
    """True for the chains between a door and the Services."""
    return change.chain.startswith(names.HASHED_PREFIXES) and not names.service_hash(change.chain)
