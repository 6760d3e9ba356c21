"""A Ruleset with an index of its long chains: a packet meets only the rules that may match its destination.

kube-proxy's KUBE-SERVICES may hold tens of thousands of rules, each for one destination. The index is made of the text
of the rules, so that only those which a packet meets are ever parsed.
"""

from collections.abc import Iterator

from pykubeproxy.netfilter.rule import Rule, make_rule
from pykubeproxy.netfilter.syntax import only_address, only_port
from pykubeproxy.rules.ruleset import Lines, Ruleset

# Shorter chains are not worth an index.
_INDEXED_LENGTH = 32

Numbered = tuple[int, Rule]


class _ChainIndex:
    """The positions of a chain's rules by their destination address, or else by their destination port."""

    def __init__(self, lines: Lines) -> None:
        self._others: list[int] = []
        self._by_address: dict[str, list[int]] = {}
        self._by_port: dict[int, list[int]] = {}
        for position, line in enumerate(lines):
            address = only_address(line)
            if address and not _is_mixed(address):
                self._by_address.setdefault(address, []).append(position)
            elif port := only_port(line):
                self._by_port.setdefault(int(port), []).append(position)
            else:
                self._others.append(position)

    def positions(self, address: str, port: int | None) -> list[int]:
        """The positions of all rules that may match this destination, in order; `port` is None if it is not known."""
        chosen = [*self._others, *self._by_address.get(address, ())]
        if port is None:
            for positions in self._by_port.values():
                chosen += positions
        else:
            chosen += self._by_port.get(port, ())
        return sorted(chosen)


def _is_mixed(address: str) -> bool:
    """True for `::1.2.3.4`: such an address has a second form, so that its text finds not all of its rules."""
    return ":" in address and "." in address


class IndexedRuleset:
    """A Ruleset for packets. Indexes are made when a packet first meets a chain."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._indexes: dict[tuple[str, str], _ChainIndex] = {}

    def has_chain(self, table: str, chain: str) -> bool:
        """True if the table has such a chain."""
        return self._ruleset.lines(table, chain) is not None

    def is_empty(self, table: str, chain: str) -> bool:
        """True for a chain that has no rules or does not exist."""
        return not self._ruleset.lines(table, chain)

    def policy(self, table: str, chain: str) -> str:
        """The policy of a built-in chain, `ACCEPT` or `DROP`; a dump that does not say so means ACCEPT."""
        found = self._ruleset.tables.get(table)
        return "ACCEPT" if found is None else found.policies.get(chain, "ACCEPT").partition(" ")[0]

    def candidates(self, table: str, chain: str, address: str, port: int | None) -> Iterator[Numbered]:
        """The rules of a chain that may match this destination, with their positions from 1, in order."""
        lines = self._ruleset.lines(table, chain) or ()
        if len(lines) < _INDEXED_LENGTH:
            for position, line in enumerate(lines, 1):
                yield position, make_rule(line)
            return
        index = self._indexes.get((table, chain))
        if index is None:
            index = self._indexes[table, chain] = _ChainIndex(lines)
        for position in index.positions(address, port):
            yield position + 1, make_rule(lines[position])

    def recent_lists(self, endpoint: str) -> frozenset[str]:
        """The lists of `-m recent` that hold the clients of an endpoint; rules that redirect to it fill them."""
        found = set()
        for chain, lines in self._nat_chains():
            for line in lines:
                if line.endswith(f" --to-destination {endpoint}") and " -m recent --set " in line:
                    found.add(_recent_name(line) or chain)
        return frozenset(found)

    def endpoint_of(self, recent_list: str) -> str:
        """The endpoint whose clients a list of `-m recent` holds: kube-proxy names it after the endpoint's chain.

        The list's own name if there is no such chain.
        """
        for line in self._ruleset.lines("nat", recent_list) or ():
            if found := line.partition(" --to-destination ")[2]:
                return found.partition(" ")[0]
        return recent_list

    def _nat_chains(self) -> Iterator[tuple[str, Lines]]:
        yield from self._ruleset.chains("nat").items()


def _recent_name(line: str) -> str:
    return line.partition(" --name ")[2].partition(" ")[0]
