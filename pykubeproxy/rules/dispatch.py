"""How a packet finds its Service: the chains behind the doors.

Linear dispatch is kube-proxy's: one chain per door, with the entries of all Services one after the other. Their order
among Services is arbitrary there; here it is that of the text, so that the same cluster gives the same chain.
"""

from pykubeproxy.rules.fragment import Door, Entry
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import Lines
from pykubeproxy.rules.skeleton import last_rules


class LinearDispatch:
    """All entries of each door in one chain, in the order of their text; the door's last rules after them."""

    def __init__(self, options: RuleOptions) -> None:
        self._lines: dict[Door, list[str]] = {door: [] for door in Door}
        self._last = {door: last_rules(door, options) for door in Door}

    def add(self, entry: Entry) -> None:
        """Add an entry; one that is there already is there twice then."""
        self._lines[entry.door].append(f"-A {entry.door.chain} {entry.rule}")

    def remove(self, entry: Entry) -> None:
        """Take an entry out once."""
        self._lines[entry.door].remove(f"-A {entry.door.chain} {entry.rule}")

    def chains(self, door: Door) -> dict[str, Lines]:
        """The chains behind a door, with their rules."""
        # Nearly sorted already, which is what Python's sort is fast at.
        self._lines[door].sort()
        return {door.chain: (*self._lines[door], *self._last[door])}
