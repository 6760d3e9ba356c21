"""Tree dispatch: a packet passes only the entries near its destination, however many Services there are.

Behind each door stands a prefix tree. A chain stands for the destinations in one network, or for a range of ports of
one address, and jumps on to smaller ones. What matches nothing there falls off the chain's end, back to the door and
on to its last rules, exactly as it would fall through a linear list.
"""

from collections.abc import Iterable, Iterator

from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import Door, Entry
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Lines
from pykubeproxy.rules.skeleton import last_rules
from pykubeproxy.rules.tree_keys import KeySpace
from pykubeproxy.rules.trie import Branch, Leaf, Node, Trie

# Leaves with so few entries are written into the chain above: a chain of their own would cost more than it saves.
_INLINE = 2

# How the chains behind a door begin. In nat, kube-proxy recognises all of these as its own and deletes them when it
# takes the node back.
_PREFIXES = {
    Door.NAT_SERVICES: names.CLUSTER_POLICY,
    Door.NAT_NODE_PORTS: names.CLUSTER_POLICY,
    Door.FILTER_SERVICES: names.CLUSTER_POLICY,
    Door.FILTER_EXTERNAL: names.EXTERNAL,
    Door.FILTER_NODE_PORTS: names.CLUSTER_POLICY,
    Door.FILTER_FIREWALL: names.SOURCE_RANGES,
}


class TreeDispatch:
    """The chains behind all doors, kept up to date with their entries."""

    def __init__(self, options: RuleOptions) -> None:
        self._last = {door: last_rules(door, options) for door in Door}
        # Entries that are found by address come before those found by port alone, as in the linear layout.
        self._trees = {door: (_Tree(door, KeySpace(options.family)), _Tree(door, KeySpace(None))) for door in Door}

    def chains(self) -> dict[ChainId, Lines | None]:
        """The doors themselves; the chains behind them are told by `change`."""
        return {(door.table, door.chain): self._door_lines(door) for door in Door}

    def change(self, removed: Iterable[Entry], added: Iterable[Entry]) -> dict[ChainId, Lines | None]:
        """Take entries out and put others in; return the chains that this may have changed."""
        trees: dict[_Tree, None] = {}
        for entry in removed:
            tree = self._tree_of(entry)
            tree.remove(entry)
            trees[tree] = None
        for entry in added:
            tree = self._tree_of(entry)
            tree.add(entry)
            trees[tree] = None
        updates: dict[ChainId, Lines | None] = {}
        for tree in trees:
            updates.update(tree.changed_chains())
            updates[tree.door.table, tree.door.chain] = self._door_lines(tree.door)
        return updates

    def _tree_of(self, entry: Entry) -> "_Tree":
        by_address, by_port = self._trees[entry.door]
        return by_address if entry.address else by_port

    def _door_lines(self, door: Door) -> Lines:
        by_address, by_port = self._trees[door]
        return (*by_address.root_lines(), *by_port.root_lines(), *self._last[door])


class _Tree:
    """The tree of one door, for the entries with an address or for those without."""

    def __init__(self, door: Door, keys: KeySpace) -> None:
        self.door = door
        self._keys = keys
        self._trie: Trie[Entry] = Trie(keys.nibbles)
        self._touched: set[tuple[int, int]] = set()

    def add(self, entry: Entry) -> None:
        self._touch(self._trie.add(self._keys.key(entry), entry))

    def remove(self, entry: Entry) -> None:
        self._touch(self._trie.remove(self._keys.key(entry), entry))

    def changed_chains(self) -> Iterator[tuple[ChainId, Lines | None]]:
        """The chains that may have changed since this was asked last; None for one that is no more."""
        for prefix, depth in self._touched:
            node = self._trie.find(prefix, depth)
            chain = self._chain(prefix, depth)
            has_chain = node is not None and node is not self._trie.root and not _is_inline(node)
            yield (self.door.table, chain), tuple(self._lines(node, chain)) if node and has_chain else None
        self._touched.clear()

    def root_lines(self) -> Iterator[str]:
        """The tree's share of the door."""
        return self._lines(self._trie.root, self.door.chain)

    def _touch(self, nodes: list[Node[Entry]]) -> None:
        # A root has no chain of its own, but it may be about to become, or just have been, another's child.
        self._touched.update((node.prefix, node.depth) for node in nodes if node.depth)

    def _lines(self, node: Node[Entry], chain: str) -> Iterator[str]:
        if isinstance(node, Leaf):
            for _, rule in sorted((key, entry.rule) for key, entry in node.items):
                yield f"-A {chain} {rule}"
            return
        for _, child in sorted(node.children.items(), key=_slot):
            if _is_inline(child):
                yield from self._lines(child, chain)
            else:
                match = self._keys.match(child.prefix, child.depth)
                yield f"-A {chain} {match} -j {self._chain(child.prefix, child.depth)}"

    def _chain(self, prefix: int, depth: int) -> str:
        return names.region(_PREFIXES[self.door], self._keys.title(prefix, depth))


def _is_inline(node: Node[Entry]) -> bool:
    return isinstance(node, Leaf) and len(node) <= _INLINE


def _slot(item: tuple[int, Leaf[Entry] | Branch[Entry]]) -> int:
    return item[0]
