"""A prefix tree whose shape is a function of what is in it: the skeleton of tree dispatch.

Keys are numbers of a fixed count of nibbles (4 bits). A leaf holds up to `LEAF_SIZE` items; a branch tells more apart
by the first nibble in which they differ, so that paths are short however far apart the keys lie. Whatever the order of
additions and removals was, the same items give the same tree, and each of them changes only nodes on one path.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

NIBBLE = 4
LEAF_SIZE = 16


class Leaf(Generic[T]):
    """Items with their keys, in the order of keys. More than `LEAF_SIZE` only if all keys are the same."""

    __slots__ = ("depth", "items", "prefix")

    def __init__(self, prefix: int, depth: int, items: list[tuple[int, T]]) -> None:
        self.prefix = prefix
        self.depth = depth
        self.items = items

    def __len__(self) -> int:
        return len(self.items)


class Branch(Generic[T]):
    """Children by the nibble after the first `depth` ones, which are the same, `prefix`, in all keys."""

    __slots__ = ("children", "depth", "prefix", "size")

    def __init__(self, prefix: int, depth: int) -> None:
        self.prefix = prefix
        self.depth = depth
        self.children: dict[int, Node[T]] = {}
        self.size = 0

    def __len__(self) -> int:
        return self.size


Node = Leaf[T] | Branch[T]


class Trie(Generic[T]):
    """The tree. `root` is an empty leaf at first; `add` and `remove` return the nodes that changed or are no more."""

    def __init__(self, nibbles: int) -> None:
        self.nibbles = nibbles
        self.root: Node[T] = Leaf(0, 0, [])

    def add(self, key: int, item: T) -> list[Node[T]]:
        """Put an item in; one that is there already is there twice then."""
        touched: list[Node[T]] = []
        self.root = self._add(self.root, key, item, touched)
        return touched

    def remove(self, key: int, item: T) -> list[Node[T]]:
        """Take an item out once; it must be there."""
        touched: list[Node[T]] = []
        root = self._remove(self.root, key, item, touched)
        self.root = Leaf(0, 0, root.items) if isinstance(root, Leaf) else root or Leaf(0, 0, [])
        return touched

    def find(self, prefix: int, depth: int) -> Node[T] | None:
        """The node that stands for the keys whose first `depth` nibbles are `prefix`, if there is one."""
        node: Node[T] | None = self.root
        while isinstance(node, Branch) and node.depth < depth:
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

    def _add(self, node: Node[T], key: int, item: T, touched: list[Node[T]]) -> Node[T]:
        touched.append(node)
        if isinstance(node, Leaf):
            node.items.append((key, item))
            node.items.sort(key=_key)
            return self._split(node, touched)
        if self._prefix(key, node.depth) != node.prefix:
            return self._part(node, key, item, touched)
        slot = self._slot(key, node.depth)
        child = node.children.get(slot) or Leaf(self._prefix(key, node.depth + 1), node.depth + 1, [])
        node.children[slot] = self._add(child, key, item, touched)
        node.size += 1
        return node

    def _split(self, leaf: Leaf[T], touched: list[Node[T]]) -> Node[T]:
        """A branch in the place of a leaf that has grown too large."""
        depth = self._common_depth(leaf.items[0][0], leaf.items[-1][0])
        if len(leaf) <= LEAF_SIZE or depth == self.nibbles:
            return leaf
        branch: Branch[T] = Branch(self._prefix(leaf.items[0][0], depth), depth)
        touched.append(branch)
        for key, item in leaf.items:
            slot = self._slot(key, depth)
            child = branch.children.get(slot)
            if child is None:
                child = branch.children[slot] = Leaf(self._prefix(key, depth + 1), depth + 1, [])
            assert isinstance(child, Leaf)
            child.items.append((key, item))
        branch.size = len(leaf)
        for slot, child in branch.children.items():
            touched.append(child)
            if isinstance(child, Leaf):
                branch.children[slot] = self._split(child, touched)
        return branch

    def _part(self, branch: Branch[T], key: int, item: T, touched: list[Node[T]]) -> Branch[T]:
        """A branch above `branch`, for a key that does not share its prefix."""
        inside = branch.prefix << NIBBLE * (self.nibbles - branch.depth)
        depth = self._common_depth(key, inside)
        parent: Branch[T] = Branch(self._prefix(key, depth), depth)
        leaf = Leaf(self._prefix(key, depth + 1), depth + 1, [(key, item)])
        parent.children = {self._slot(inside, depth): branch, self._slot(key, depth): leaf}
        parent.size = branch.size + 1
        touched += (parent, leaf)
        return parent

    def _remove(self, node: Node[T], key: int, item: T, touched: list[Node[T]]) -> Node[T] | None:
        touched.append(node)
        if isinstance(node, Leaf):
            node.items.remove((key, item))
            return node if node.items else None
        slot = self._slot(key, node.depth)
        child = self._remove(node.children[slot], key, item, touched)
        node.size -= 1
        if child is None:
            del node.children[slot]
        else:
            node.children[slot] = self._in_slot(child, key, node.depth + 1, touched)
        return self._join(node, touched)

    def _in_slot(self, child: Node[T], key: int, depth: int, touched: list[Node[T]]) -> Node[T]:
        """`child` as it belongs under a branch: a leaf covers all keys of its slot, however few it holds."""
        if isinstance(child, Branch) or child.depth == depth:
            return child
        leaf = Leaf(self._prefix(key, depth), depth, child.items)
        touched.append(leaf)
        return leaf

    def _join(self, branch: Branch[T], touched: list[Node[T]]) -> Node[T]:
        """What a branch becomes that has lost an item: itself, its only child, or a leaf of what is left."""
        if branch.size <= LEAF_SIZE:
            touched.extend(branch.children.values())
            return Leaf(branch.prefix, branch.depth, sorted(_items(branch), key=_key))
        if len(branch.children) == 1:
            (child,) = branch.children.values()
            touched.append(child)  # it may become the root, which has no chain of its own
            return child
        return branch


def _key(item: tuple[int, T]) -> int:
    return item[0]


def _items(node: Node[T]) -> Iterator[tuple[int, T]]:
    if isinstance(node, Leaf):
        yield from node.items
    else:
        for child in node.children.values():
            yield from _items(child)
