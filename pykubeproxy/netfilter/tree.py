"""The ways of all branches as one tree, for those who draw it."""

from collections.abc import Iterable
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.outcome import BranchResult
from pykubeproxy.netfilter.path import LinkedPath, Step


class TraceNode(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the way without branches, and then either its branches or its end.

    `probability` is the share of all packets that come here. The children of a random choice share it out among them,
    each branch of an undecided question has all of it. A node with neither children nor an ending became one with
    another branch, because nothing told them apart any more.
    """

    steps: tuple[Step, ...]
    probability: Fraction
    children: tuple["TraceNode", ...] = ()
    result: BranchResult | None = None


def build_tree(root: LinkedPath, results: Iterable[tuple[LinkedPath, BranchResult]]) -> TraceNode:
    """The tree of all steps from `root` that lead to an ending; branches stand in the order of their endings."""
    following: dict[int, list[LinkedPath]] = {}
    result_at: dict[int, BranchResult] = {}
    seen: set[int] = set()
    for end, result in results:
        result_at[id(end)] = result
        path = end
        while path.before is not None and id(path) not in seen:
            seen.add(id(path))
            following.setdefault(id(path.before), []).append(path)
            path = path.before
    return _build(root, following, result_at)


def _build(root: LinkedPath, following: dict[int, list[LinkedPath]], result_at: dict[int, BranchResult]) -> TraceNode:
    """Nodes from the root down, then made from the leaves up: however deep, it needs no recursion."""
    planned: list[tuple[LinkedPath, tuple[Step, ...], LinkedPath]] = []
    waiting = [root]
    while waiting:
        first = last = waiting.pop()
        steps = [first.step]
        while len(branches := following.get(id(last), [])) == 1:
            last = branches[0]
            steps.append(last.step)
        planned.append((first, tuple(step for step in steps if step is not None), last))
        waiting.extend(branches)
    made: dict[int, TraceNode] = {}
    for first, stretch, last in reversed(planned):
        made[id(first)] = TraceNode(
            steps=stretch,
            probability=stretch[0].probability if stretch else Fraction(1),
            children=tuple(made[id(branch)] for branch in following.get(id(last), [])),
            result=result_at.get(id(last)),
        )
    return made[id(root)]
