"""How a packet finds its Service: the chains behind the doors, in one of two layouts.

Linear dispatch is kube-proxy's: one chain per door, with the entries of all Services one after the other, every one of
which a new connection may have to pass. Tree dispatch (`pykubeproxy.rules.tree`) lets it pass only those near its
destination.
"""

from collections.abc import Iterable
from typing import Protocol

from pykubeproxy.rules.fragment import Door, Entry
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Lines
from pykubeproxy.rules.skeleton import last_rules
from pykubeproxy.rules.tree import TreeDispatch

# What a change of entries makes of the shared chains; None for a chain that is no more.
ChainUpdates = dict[ChainId, Lines | None]


class DispatchLayout(Protocol):
    """The chains behind the doors, kept up to date with their entries."""

    def chains(self) -> ChainUpdates:
        """All chains as they are now."""

    def change(self, removed: Iterable[Entry], added: Iterable[Entry]) -> ChainUpdates:
        """Take entries out and put others in; return the chains that this may have changed."""


def make_dispatch(options: RuleOptions) -> DispatchLayout:
    """The layout that the options ask for, without any entry."""
    return TreeDispatch(options) if options.dispatch is Dispatch.TREE else LinearDispatch(options)


class LinearDispatch:
    """All entries of each door in one chain, in the order of their text; the door's last rules after them.

    kube-proxy's order among Services is arbitrary. Here it is that of the text, so that the same cluster gives the
    same chain.
    """

    def __init__(self, options: RuleOptions) -> None:
        self._lines: dict[Door, list[str]] = {door: [] for door in Door}
        self._last = {door: last_rules(door, options) for door in Door}

    def chains(self) -> ChainUpdates:
        """All chains as they are now."""
        return self._chains(Door)

    def change(self, removed: Iterable[Entry], added: Iterable[Entry]) -> ChainUpdates:
        """Take entries out and put others in; return the chains that this may have changed."""
        doors = set()
        for entry in removed:
            self._lines[entry.door].remove(_line(entry.door.chain, entry))
            doors.add(entry.door)
        for entry in added:
            self._lines[entry.door].append(_line(entry.door.chain, entry))
            doors.add(entry.door)
        return self._chains(doors)

    def _chains(self, doors: Iterable[Door]) -> ChainUpdates:
        updates: ChainUpdates = {}
        for door in doors:
            # Nearly sorted already, which is what Python's sort is fast at.
            self._lines[door].sort()
            updates[door.table, door.chain] = (*self._lines[door], *self._last[door])
        return updates


def _line(chain: str, entry: Entry) -> str:
    return f"-A {chain} {entry.rule}"
