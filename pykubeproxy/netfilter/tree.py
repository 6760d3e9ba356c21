"""The ways of all branches of a packet as one tree, for those who show it."""

from collections.abc import Iterable
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.outcome import BranchResult
from pykubeproxy.netfilter.path import LinkedPath, Step


class TraceNode(msgspec.Struct, frozen=True, kw_only=True):
    """Steps without branches between them, then the branches as `children`, or the result where the way ends.

    `probability` is the share of all packets that comes here. The children of a random choice divide it among them; the
    two children of a question that cannot be decided have all of it each. A node without children and without a result
    was joined with another branch, because nothing told them apart any more.
    """

    steps: tuple[Step, ...]
    probability: Fraction
    children: tuple["TraceNode", ...] = ()
    result: BranchResult | None = None


def build_tree(root: LinkedPath, results: Iterable[tuple[LinkedPath, BranchResult]]) -> TraceNode:
    """The tree of all paths from `root` to a result; children are in the order of their results."""
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
    """Plan the nodes from the root down, then make them from the leaves up: without recursion, which has a limit."""
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
    for first, steps_between, last in reversed(planned):
        made[id(first)] = TraceNode(
            steps=steps_between,
            probability=steps_between[0].probability if steps_between else Fraction(1),
            children=tuple(made[id(branch)] for branch in following.get(id(last), [])),
            result=result_at.get(id(last)),
        )
    return made[id(root)]
