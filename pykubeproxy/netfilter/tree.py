"""The ways of all branches as one tree, for those who draw it."""

from collections.abc import Iterable
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.outcome import Ending
from pykubeproxy.netfilter.path import Step, Trail


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the way without branches, and then either its branches or its end.

    `probability` is the share of all packets that come here. The children of a random choice share it out among them,
    each branch of an undecided question has all of it. A node with neither children nor an ending became one with
    another branch, because nothing told them apart any more.
    """

    steps: tuple[Step, ...]
    probability: Fraction
    children: tuple["Node", ...] = ()
    ending: Ending | None = None


def grow(root: Trail, endings: Iterable[tuple[Trail, Ending]]) -> Node:
    """The tree of all steps from `root` that lead to an ending; branches stand in the order of their endings."""
    following: dict[int, list[Trail]] = {}
    ending_at: dict[int, Ending] = {}
    seen: set[int] = set()
    for end, ending in endings:
        ending_at[id(end)] = ending
        trail = end
        while trail.before is not None and id(trail) not in seen:
            seen.add(id(trail))
            following.setdefault(id(trail.before), []).append(trail)
            trail = trail.before
    return _plant(root, following, ending_at)


def _plant(root: Trail, following: dict[int, list[Trail]], ending_at: dict[int, Ending]) -> Node:
    """Nodes from the root down, then made from the leaves up: however deep, it needs no recursion."""
    planned: list[tuple[Trail, tuple[Step, ...], Trail]] = []
    waiting = [root]
    while waiting:
        first = last = waiting.pop()
        steps = [first.step]
        while len(branches := following.get(id(last), [])) == 1:
            last = branches[0]
            steps.append(last.step)
        planned.append((first, tuple(step for step in steps if step is not None), last))
        waiting.extend(branches)
    made: dict[int, Node] = {}
    for first, stretch, last in reversed(planned):
        made[id(first)] = Node(
            steps=stretch,
            probability=stretch[0].probability if stretch else Fraction(1),
            children=tuple(made[id(branch)] for branch in following.get(id(last), [])),
            ending=ending_at.get(id(last)),
        )
    return made[id(root)]
