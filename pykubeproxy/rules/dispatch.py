"""How a packet finds its Service: the chains behind the doors, in one of two layouts.

Linear dispatch is kube-proxy's: one chain per door, with the entries of all Services one after the other, every one of
which a new connection may have to pass. Tree dispatch (`pykubeproxy.rules.tree`) lets it pass only those near its
destination.
"""

from bisect import bisect_left, bisect_right
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
    """All entries of each door in one chain: ServicePort by ServicePort, and the door's last rules after them.

    kube-proxy's order among ServicePorts is arbitrary; here they are sorted by name, so that the same cluster gives the
    same chain. The order within each is kube-proxy's (`docs/reference/iptables-rules.md` section 16). Entries without
    an address come after all others: they are the last of their ServicePort anyway, and so both layouts agree which of
    two Services wins if one's node port is the port of the other's external IP.
    """

    def __init__(self, options: RuleOptions) -> None:
        self._lists = {door: (_List(), _List()) for door in Door}
        self._last = {door: last_rules(door, options) for door in Door}

    def chains(self) -> ChainUpdates:
        """All chains as they are now."""
        return self._chains(Door)

    def change(self, removed: Iterable[Entry], added: Iterable[Entry]) -> ChainUpdates:
        """Take entries out and put others in; return the chains that this may have changed.

        A ServicePort's entries come and go together, and are added in the order that they keep.
        """
        touched: dict[Door, tuple[_Groups, _Groups]] = {}
        for entry in removed:
            _group(touched, entry)
        for entry in added:
            _group(touched, entry).append(_line(entry))
        for door, groups in touched.items():
            for its, changed in zip(self._lists[door], groups, strict=True):
                its.replace(changed)
        return self._chains(touched)

    def _chains(self, doors: Iterable[Door]) -> ChainUpdates:
        updates: ChainUpdates = {}
        for door in doors:
            by_address, by_port = self._lists[door]
            updates[door.table, door.chain] = (*by_address.lines, *by_port.lines, *self._last[door])
        return updates


# The rules of ServicePorts, by name.
_Groups = dict[str, list[str]]


class _List:
    """Rules in the order of their ServicePorts' names: `names` has that of each of `lines`."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.lines: list[str] = []

    def replace(self, groups: _Groups) -> None:
        """Put these rules in the place of those that the same ServicePorts had."""
        for name in sorted(groups):
            start = bisect_left(self.names, name)
            end = bisect_right(self.names, name, lo=start)
            self.lines[start:end] = groups[name]
            self.names[start:end] = [name] * len(groups[name])


def _group(touched: dict[Door, tuple[_Groups, _Groups]], entry: Entry) -> list[str]:
    """The rules of an entry's ServicePort at its door, with or without an address as this one is."""
    by_address, by_port = touched.setdefault(entry.door, ({}, {}))
    name = entry.rule.partition('--comment "')[2].partition('"')[0].partition(" ")[0]
    return (by_address if entry.address else by_port).setdefault(name, [])


def _line(entry: Entry) -> str:
    return f"-A {entry.door.chain} {entry.rule}"
