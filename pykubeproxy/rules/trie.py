"""A prefix tree whose shape is a function of what is in it: the skeleton of tree dispatch.

Keys are numbers of a fixed count of nibbles (4 bits). A leaf holds up to `LEAF_SIZE` items; an inner node tells more
apart by the first nibble in which they differ, so that paths are short however far apart the keys lie. Whatever the
order of additions and removals was, the same items give the same tree, and each of them changes only nodes on one path.

Keys can be chosen so that a path branches off at every nibble. No tree is therefore deeper than `DEEPEST`: a leaf down
there holds whatever comes, and what reaches down there is made anew if its level changes.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Generic, TypeVar

T = TypeVar("T")

NIBBLE = 4
LEAF_SIZE = 16

# Inner nodes above a leaf, at most. nf_tables follows 15 jumps from a built-in chain (NFT_JUMP_STACK_SIZE); 7 of them
# are spent before and after the tree, and one is left to rules of others that lead to a dispatch chain.
DEEPEST = 7


class Leaf(Generic[T]):
    """Items with their keys, in the order of keys.

    More than `LEAF_SIZE` only if all keys are the same, or under `DEEPEST` inner nodes.
    """

    __slots__ = ("depth", "items", "prefix")

    height = 0

    def __init__(self, prefix: int, depth: int, items: list[tuple[int, T]]) -> None:
        self.prefix = prefix
        self.depth = depth
        self.items = items

    def __len__(self) -> int:
        return len(self.items)


class InnerNode(Generic[T]):
    """Children by the nibble after the first `depth` ones, which are the same, `prefix`, in all keys.

    `height` is the number of inner nodes on the longest way down, this one included.
    """

    __slots__ = ("children", "depth", "height", "prefix", "size")

    def __init__(self, prefix: int, depth: int) -> None:
        self.prefix = prefix
        self.depth = depth
        self.children: dict[int, Node[T]] = {}
        self.height = 1
        self.size = 0

    def __len__(self) -> int:
        return self.size


Node = Leaf[T] | InnerNode[T]


class Trie(Generic[T]):
    """The tree. `root` is an empty leaf at first; `add` and `remove` return the nodes that changed or are no more."""

    def __init__(self, nibbles: int) -> None:
        self.nibbles = nibbles
        self.root: Node[T] = Leaf(0, 0, [])
        self._touched: list[Node[T]] = []

    def add(self, key: int, item: T) -> list[Node[T]]:
        """Put an item in; one that is there already is there twice then."""
        self._touched = []
        self.root = self._add(self.root, key, item, 0)
        return self._touched

    def remove(self, key: int, item: T) -> list[Node[T]]:
        """Take an item out once; it must be there."""
        self._touched = []
        root = self._remove(self.root, key, item, 0)
        self.root = Leaf(0, 0, root.items) if isinstance(root, Leaf) else root or Leaf(0, 0, [])
        return self._touched

    def find(self, prefix: int, depth: int) -> Node[T] | None:
        """The node that stands for the keys whose first `depth` nibbles are `prefix`, if there is one."""
        node: Node[T] | None = self.root
        while isinstance(node, InnerNode) and node.depth < depth:
            node = node.children.get(prefix >> NIBBLE * (depth - 1 - node.depth) & 0xF)
        return node if node is not None and (node.prefix, node.depth) == (prefix, depth) else None

    def _prefix(self, key: int, depth: int) -> int:
        return key >> NIBBLE * (self.nibbles - depth)

    def _slot(self, key: int, depth: int) -> int:
        return self._prefix(key, depth + 1) & 0xF

    def _common_depth(self, key: int, other: int) -> int:
        """The number of leading nibbles that two keys share."""
        different_bits = (key ^ other).bit_length()
        return self.nibbles - -(-different_bits // NIBBLE)

    def _add(self, node: Node[T], key: int, item: T, level: int) -> Node[T]:
        """What becomes of `node`, which has `level` inner nodes above it, with one more item."""
        self._touched.append(node)
        if isinstance(node, Leaf):
            node.items.append((key, item))
            node.items.sort(key=_key)
            return self._split(node, level)
        if self._prefix(key, node.depth) != node.prefix:
            return self._part(node, key, item, level)
        slot = self._slot(key, node.depth)
        child = node.children.get(slot) or Leaf(self._prefix(key, node.depth + 1), node.depth + 1, [])
        child = node.children[slot] = self._add(child, key, item, level + 1)
        node.size += 1
        node.height = max(node.height, 1 + child.height)
        return node

    def _split(self, leaf: Leaf[T], level: int) -> Node[T]:
        """An inner node in the place of a leaf that has grown too large."""
        if len(leaf) <= LEAF_SIZE or level == DEEPEST:
            return leaf
        depth = self._common_depth(leaf.items[0][0], leaf.items[-1][0])
        if depth == self.nibbles:
            return leaf
        inner: InnerNode[T] = InnerNode(self._prefix(leaf.items[0][0], depth), depth)
        self._touched.append(inner)
        for slot, items in groupby(leaf.items, lambda item: self._slot(item[0], depth)):
            child = Leaf(inner.prefix << NIBBLE | slot, depth + 1, list(items))
            self._touched.append(child)
            inner.children[slot] = self._split(child, level + 1)
        inner.size = len(leaf)
        inner.height = 1 + _height(inner.children)
        return inner

    def _part(self, node: InnerNode[T], key: int, item: T, level: int) -> InnerNode[T]:
        """An inner node above `node`, for a key that does not share its prefix."""
        inside = node.prefix << NIBBLE * (self.nibbles - node.depth)
        depth = self._common_depth(key, inside)
        parent: InnerNode[T] = InnerNode(self._prefix(key, depth), depth)
        leaf = Leaf(self._prefix(key, depth + 1), depth + 1, [(key, item)])
        moved = self._in_slot(self._moved(node, level, level + 1), inside, depth + 1)
        parent.children = {self._slot(inside, depth): moved, self._slot(key, depth): leaf}
        parent.size = node.size + 1
        parent.height = 1 + moved.height
        self._touched += (parent, leaf)
        return parent

    def _remove(self, node: Node[T], key: int, item: T, level: int) -> Node[T] | None:
        """What is left of `node`, which has `level` inner nodes above it, with one item less."""
        self._touched.append(node)
        if isinstance(node, Leaf):
            node.items.remove((key, item))
            return node if node.items else None
        slot = self._slot(key, node.depth)
        child = self._remove(node.children[slot], key, item, level + 1)
        node.size -= 1
        if child is None:
            del node.children[slot]
        else:
            node.children[slot] = self._in_slot(child, key, node.depth + 1)
        return self._join(node, level)

    def _in_slot(self, child: Node[T], key: int, depth: int) -> Node[T]:
        """`child` as it belongs under an inner node: a leaf covers all keys of its slot, however few it holds."""
        if isinstance(child, InnerNode) or child.depth == depth:
            return child
        leaf = Leaf(self._prefix(key, depth), depth, child.items)
        self._touched.append(leaf)
        return leaf

    def _join(self, node: InnerNode[T], level: int) -> Node[T]:
        """What an inner node becomes that has lost an item: itself, its only child, or a leaf of what is left."""
        if node.size <= LEAF_SIZE:
            self._touched.extend(node.children.values())
            return _merged(node)
        if len(node.children) == 1:
            (child,) = node.children.values()
            self._touched.append(child)  # it may become the root, which has no chain of its own
            return self._moved(child, level + 1, level)
        node.height = 1 + _height(node.children)
        return node

    def _moved(self, node: Node[T], before: int, after: int) -> Node[T]:
        """`node`, which comes to stand at another level.

        What reaches down to `DEEPEST` would be too deep if it went down, and may branch further if it goes up: that
        alone is made anew.
        """
        if before + node.height < DEEPEST:
            return node
        if isinstance(node, Leaf) or after == DEEPEST:
            self._touched.extend(_nodes(node))
            return self._split(_merged(node), after)
        for slot, child in node.children.items():
            inside = child.prefix << NIBBLE * (self.nibbles - child.depth)
            moved = self._in_slot(self._moved(child, before + 1, after + 1), inside, node.depth + 1)
            if moved is not child:
                self._touched.append(node)
                node.children[slot] = moved
        node.height = 1 + _height(node.children)
        return node


def _key(item: tuple[int, T]) -> int:
    return item[0]


def _height(children: dict[int, Node[T]]) -> int:
    return max(child.height for child in children.values())


def _nodes(node: Node[T]) -> Iterator[Node[T]]:
    """A node and all below it."""
    yield node
    if isinstance(node, InnerNode):
        for child in node.children.values():
            yield from _nodes(child)


def _merged(node: Node[T]) -> Leaf[T]:
    """A leaf of all that is in a node, in its place."""
    items = [item for each in _nodes(node) if isinstance(each, Leaf) for item in each.items]
    return Leaf(node.prefix, node.depth, sorted(items, key=_key))
