"""What the filter table holds while nat changes.

The tables are committed one after the other, and in a large Plan seconds lie between them. Yet what becomes of a packet
depends on both: nat rewrites its destination, or filter refuses it. While nat changes, filter therefore refuses what it
refused before and what it will refuse, with two exceptions:

- For a destination that nat does not know yet, the rules in filter stay as before. Otherwise the rule that drops what
  the source ranges of a new load balancer exclude would drop all packets, because nat rewrites none of them yet.
- For a destination that nat will not know any more, the rules in filter are already as after.

A rule for the unused ports of an address goes at once as well: it would refuse what nat does not redirect any more.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.rules.reading import kind_of, read
from pykubeproxy.rules.ruleset import Lines
from pykubeproxy.rules.text import RuleKind

_SUBTREE = re.compile(r"-A \S+ (?:-[dp] \S+ |-m \w+ |--dport \S+ )+-j KUBE-\S+")

# What a rule is for: the address (a node port has none), protocol and port of a destination.
_Destination = tuple[str, str, int]


def halfway(
    filter_changes: Sequence[ChainChange], nat_changes: Sequence[ChainChange]
) -> tuple[list[ChainChange], list[ChainChange]]:
    """Divide the changes of filter into those to carry out before the changes of nat, and those for after them.

    Given are all changes of the dispatch chains of both tables, and of those below them, the deleted ones included. If
    no rule in nat changes, the Services' own chains may: then filter refuses both what it did and what it will.
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
        if line not in after and _is_own(line) and _destination(line) not in going:
            yield line


def _is_own(line: str) -> bool:
    """True for a rule that a Service proxy writes, but for those for unused ports; not all others can be written."""
    if " --comment " in line:
        return kind_of(line) not in (None, RuleKind.UNUSED_PORTS)
    return bool(_SUBTREE.fullmatch(line))


def _destinations(chains: Iterable[Lines | None]) -> set[_Destination]:
    return {found for lines in chains for line in lines or () if (found := _destination(line))}


def _destination(line: str) -> _Destination | None:
    """The only destination that a rule is for; None for one that leads on to a part of the tree of destinations."""
    # Such rules are for networks or for ranges of ports, and have no comment.
    if " --comment " not in line:
        return None
    view = read(line)
    return (view.address, view.protocol, view.port) if view.port else None
