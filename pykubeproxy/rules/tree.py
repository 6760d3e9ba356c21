"""Tree dispatch: a packet passes only the dispatch rules near its destination, however many Services there are.

Each dispatch chain is the root of a prefix tree of chains. A chain below it is for the destinations in one network, or
for a range of ports of one address, and jumps on to chains for smaller ones. A packet that matches none of its rules
returns to the dispatch chain, and goes on to the last rules there, exactly as it would after the rules of a linear
chain. A packet to 10.96.4.17:80 passes these:

    -A KUBE-SERVICES -d 10.96.0.0/20 -j KUBE-SVC-10.96.0.0/20
    -A KUBE-SVC-10.96.0.0/20 -d 10.96.4.0/24 -j KUBE-SVC-10.96.4.0/24
    -A KUBE-SVC-10.96.4.0/24 -d 10.96.4.17/32 -p tcp ... -m tcp --dport 80 -j KUBE-SVC-VRJGZXLWA3WEP67O

`trie` decides which chains there are, `tree_keys` what each of them matches and how it is called; here their rules are
written.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from pykubeproxy.rules import names
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import ChainId, Lines
from pykubeproxy.rules.skeleton import last_rules
from pykubeproxy.rules.tree_keys import KeySpace
from pykubeproxy.rules.trie import InnerNode, Leaf, Node, Trie

# Leaves with so few rules are written into the chain above: a chain of their own would cost more than it saves.
_INLINE = 2

# How the names of the chains below a dispatch chain begin. In nat, kube-proxy recognises all of these as its own and
# deletes them when it takes the node back.
_PREFIXES = {
    DispatchChain.NAT_SERVICES: names.CLUSTER_POLICY,
    DispatchChain.NAT_NODE_PORTS: names.CLUSTER_POLICY,
    DispatchChain.FILTER_SERVICES: names.CLUSTER_POLICY,
    DispatchChain.FILTER_EXTERNAL: names.EXTERNAL,
    DispatchChain.FILTER_NODE_PORTS: names.CLUSTER_POLICY,
    DispatchChain.FILTER_FIREWALL: names.SOURCE_RANGES,
}


class TreeDispatch:
    """The trees of all dispatch chains, kept up to date with the dispatch rules of all Services."""

    def __init__(self, options: RuleOptions) -> None:
        self._last = {root: last_rules(root, options) for root in DispatchChain}
        # Rules that are found by address come before those found by port alone, as in the linear layout.
        self._trees = {
            root: (_Tree(root, KeySpace(options.family)), _Tree(root, KeySpace(None))) for root in DispatchChain
        }

    def chains(self) -> dict[ChainId, Lines | None]:
        """The dispatch chains themselves; `change` returns the chains below them."""
        return {root.id: self._root_lines(root) for root in DispatchChain}

    def change(self, removed: Iterable[DispatchRule], added: Iterable[DispatchRule]) -> dict[ChainId, Lines | None]:
        """Take dispatch rules out and put others in; return the chains that this may have changed."""
        trees: dict[_Tree, None] = {}
        for rule in removed:
            tree = self._tree_of(rule)
            tree.remove(rule)
            trees[tree] = None
        for rule in added:
            tree = self._tree_of(rule)
            tree.add(rule)
            trees[tree] = None
        updates: dict[ChainId, Lines | None] = {}
        for tree in trees:
            updates.update(tree.changed_chains())
            updates[tree.root.id] = self._root_lines(tree.root)
        return updates

    def _tree_of(self, rule: DispatchRule) -> "_Tree":
        by_address, by_port = self._trees[rule.dispatch_chain]
        return by_address if rule.address else by_port

    def _root_lines(self, root: DispatchChain) -> Lines:
        by_address, by_port = self._trees[root]
        return (*by_address.root_lines(), *by_port.root_lines(), *self._last[root])


class _Tree:
    """The tree of one dispatch chain, for the dispatch rules with an address or for those without."""

    def __init__(self, root: DispatchChain, keys: KeySpace) -> None:
        self.root = root
        self._keys = keys
        self._trie: Trie[DispatchRule] = Trie(keys.nibbles)
        self._touched: set[tuple[int, int]] = set()
        # How many ServicePorts have each rule that is written once for all of them.
        self._common: Counter[DispatchRule] = Counter()

    def add(self, rule: DispatchRule) -> None:
        if not rule.title:
            self._common[rule] += 1
            if self._common[rule] > 1:
                return
        self._touch(self._trie.add(self._keys.key(rule), rule))

    def remove(self, rule: DispatchRule) -> None:
        if not rule.title:
            self._common[rule] -= 1
            if self._common[rule]:
                return
            del self._common[rule]
        self._touch(self._trie.remove(self._keys.key(rule), rule))

    def changed_chains(self) -> Iterator[tuple[ChainId, Lines | None]]:
        """The chains that may have changed since this was asked last; None for one that is no more."""
        for prefix, depth in self._touched:
            node = self._trie.find(prefix, depth)
            chain = self._chain(prefix, depth)
            has_chain = node is not None and node is not self._trie.root and not _is_inline(node)
            yield (self.root.table, chain), tuple(self._lines(node, chain)) if node and has_chain else None
        self._touched.clear()

    def root_lines(self) -> Iterator[str]:
        """The tree's share of the dispatch chain."""
        return self._lines(self._trie.root, self.root.chain)

    def _touch(self, nodes: list[Node[DispatchRule]]) -> None:
        # A root has no chain of its own, but it may be about to become, or just have been, another's child.
        self._touched.update((node.prefix, node.depth) for node in nodes if node.depth)

    def _lines(self, node: Node[DispatchRule], chain: str) -> Iterator[str]:
        if isinstance(node, Leaf):
            for _, line in sorted((key, rule.line(chain)) for key, rule in node.items):
                yield line
            return
        for _, child in sorted(node.children.items(), key=_slot):
            if _is_inline(child):
                yield from self._lines(child, chain)
            else:
                match = self._keys.match(child.prefix, child.depth)
                yield f"-A {chain} {match} -j {self._chain(child.prefix, child.depth)}"

    def _chain(self, prefix: int, depth: int) -> str:
        return names.subtree(_PREFIXES[self.root], self._keys.title(prefix, depth))


def _is_inline(node: Node[DispatchRule]) -> bool:
    return isinstance(node, Leaf) and len(node) <= _INLINE


def _slot(item: tuple[int, Leaf[DispatchRule] | InnerNode[DispatchRule]]) -> int:
    return item[0]
