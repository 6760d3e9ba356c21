"""The prefix tree: its shape is a function of what is in it, and each change is one of few nodes."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.rules import trie as tries
from pykubeproxy.rules.trie import DEEPEST, NIBBLE, InnerNode, Leaf, Node, Trie

NIBBLES = 13
IPV6_NIBBLES = 37
DEPTHS = [3, DEEPEST]

Items = list[tuple[int, str]]
# A node as a value: its place, and its items or its children.
Shape = tuple[int, int, tuple[Any, ...]]

# Keys near each other, keys that are the same, keys that branch off at any nibble of one path, and any others.
keys = st.one_of(
    st.integers(0, 40),
    st.sampled_from([0xABC, 0xABC0]),
    st.integers(0, NIBBLES * NIBBLE - 1).map(lambda bit: 1 << bit),
    st.integers(0, NIBBLES * NIBBLE - 1).map(lambda bit: (1 << bit) - 1),
    st.integers(0, 16**NIBBLES - 1),
)
items = st.tuples(keys, st.sampled_from("ab"))


def digits(key: int, nibbles: int = NIBBLES) -> str:
    return f"{key:0{nibbles}x}"


def prefix_of(key: int, depth: int, nibbles: int = NIBBLES) -> int:
    return int(digits(key, nibbles)[:depth] or "0", 16)


def wanted(its: Items, place: tuple[int, int], level: int = 0, nibbles: int = NIBBLES) -> Shape:
    """The shape that some items should have, told anew from the rules for it."""
    texts = [digits(key, nibbles) for key, _ in its]
    if len(its) <= tries.LEAF_SIZE or len(set(texts)) == 1 or level == tries.DEEPEST:
        return (*place, tuple(sorted(its)))
    depth = next(i for i in range(nibbles) if len({text[: i + 1] for text in texts}) > 1)
    children = []
    for slot in sorted({text[depth] for text in texts}):
        under = [item for item in its if digits(item[0], nibbles)[depth] == slot]
        below = (prefix_of(under[0][0], depth + 1, nibbles), depth + 1)
        children.append(wanted(under, below, level + 1, nibbles))
    return (prefix_of(its[0][0], depth, nibbles), depth, tuple(children))


def shape(node: Node[str]) -> Shape:
    if isinstance(node, Leaf):
        return (node.prefix, node.depth, tuple(sorted(node.items)))
    return (node.prefix, node.depth, tuple(shape(node.children[slot]) for slot in sorted(node.children)))


def nodes(node: Node[str]) -> Iterator[Node[str]]:
    yield node
    if isinstance(node, InnerNode):
        for child in node.children.values():
            yield from nodes(child)


def made(its: Iterable[tuple[int, str]], nibbles: int = NIBBLES) -> Trie[str]:
    trie: Trie[str] = Trie(nibbles)
    for key, item in its:
        trie.add(key, item)
    return trie


def check(trie: Trie[str], its: Items) -> None:
    assert shape(trie.root) == wanted(its, (0, 0), nibbles=trie.nibbles)
    for node in nodes(trie.root):
        assert trie.find(node.prefix, node.depth) is node
        assert len(node) == sum(len(leaf) for leaf in nodes(node) if isinstance(leaf, Leaf))
        if isinstance(node, InnerNode):
            assert node.height == 1 + max(child.height for child in node.children.values())


@contextmanager
def small(deepest: int) -> Iterator[None]:
    """Leaves so small that few items make a large tree, and a ground that is soon reached."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tries, "LEAF_SIZE", 2)
        patch.setattr(tries, "DEEPEST", deepest)
        yield


@pytest.mark.parametrize("deepest", DEPTHS)
@given(st.lists(items, max_size=90), st.lists(items, max_size=90), st.randoms(use_true_random=False))
def test_the_shape_depends_neither_on_the_order_nor_on_what_has_come_and_gone(
    deepest: int, stay: Items, go: Items, order: random.Random
) -> None:
    steps = stay + go
    order.shuffle(steps)
    leaving = list(go)
    order.shuffle(leaving)
    with small(deepest):
        trie = made(steps)
        for number, item in enumerate(leaving, 1):
            trie.remove(*item)
            if number % 8 == 0:
                check(trie, stay + leaving[number:])
        check(trie, stay)


@pytest.mark.parametrize("nibbles", [NIBBLES, IPV6_NIBBLES])
def test_no_choice_of_keys_makes_a_deep_tree(nibbles: int) -> None:
    """Three items beside the path at every nibble of it."""
    its = [(step << NIBBLE * place, "a") for place in range(nibbles) for step in (1, 2, 3)]
    trie = made(its, nibbles)
    check(trie, its)
    assert trie.root.height == DEEPEST
    for gone in list(its):
        trie.remove(*gone)
        its.remove(gone)
        check(trie, its)


@pytest.mark.parametrize("number", [200, 20000])
def test_one_deep_path_does_not_make_all_others_move(number: int) -> None:
    """Whoever may choose addresses and ports can make a path as deep as it may be, and an address above all others."""
    network = 0x0A60 << 36
    spread = [(network | index * 40503 % 65536 << 20 | 80, "a") for index in range(number)]
    deep = [(network | step << NIBBLE * place, "b") for place in range(9) for step in (1, 2, 3) for _ in range(6)]
    trie = made([*spread, *deep])
    assert trie.root.height == DEEPEST
    above = (0xC0A80101 << 20, "c")
    for act in (trie.add, trie.remove):
        told = {(node.prefix, node.depth) for node in act(*above)}
        assert len(told) < 40
    check(trie, [*spread, *deep])
