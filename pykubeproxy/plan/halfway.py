"""What the filter table holds while nat changes.

The tables are committed one after the other, and in a large Plan seconds lie between them. Yet what becomes of a packet
depends on both: nat rewrites its destination, or filter refuses it. While nat changes, filter therefore refuses what it
refused before and what it will refuse, with two exceptions. For a destination that nat does not know yet, it is as
before: else the source ranges of a new load balancer would shut out those who are let in, because nothing lets them in
yet. For one that nat will not know any more, it is as after.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.rules.ruleset import Lines

# A rule for one destination: its address (a node port has none), protocol and port.
_DESTINATION = re.compile(r"-A \S+ (-d \S+ )?-p (\w+) (?:.* )?--dport (\d+) -j ")

_Destination = tuple[str | None, ...]


def halfway(
    filter_changes: Sequence[ChainChange], nat_changes: Sequence[ChainChange]
) -> tuple[list[ChainChange], list[ChainChange]]:
    """Divide the changes of filter into those to carry out before the changes of nat, and those for after them.

    Both are about the chains in which packets find their Service, those that are deleted included. Where none of nat's
    change, the Services' own may: then filter refuses both what it did and what it will.
    """
    known = _destinations(change.before for change in nat_changes)
    wanted = _destinations(change.after for change in nat_changes)
    first, last = [], []
    for change in filter_changes:
        lines = tuple(_meanwhile(change, coming=wanted - known, going=known - wanted))
        if lines != change.before:
            first.append(replace(change, after=lines))
        if lines != change.after:
            last.append(replace(change, before=lines))
    return first, last


def _meanwhile(change: ChainChange, coming: set[_Destination], going: set[_Destination]) -> Iterator[str]:
    """The lines of a chain of filter while nat gets to know some destinations, and forgets others."""
    before, after = set(change.before or ()), set(change.after or ())
    for line in change.after or ():
        if line in before or _destination(line) not in coming:
            yield line
    for line in change.before or ():
        if line not in after and _destination(line) not in going:
            yield line


def _destinations(chains: Iterable[Lines | None]) -> set[_Destination]:
    return {found.groups() for lines in chains for line in lines or () if (found := _DESTINATION.match(line))}


def _destination(line: str) -> _Destination | None:
    found = _DESTINATION.match(line)
    return None if found is None else found.groups()
