"""A trace as one would tell it: without what came to nothing, and with equal branches told once.

A packet passes many rules that only ask whether it is theirs. A story leaves out jumps that came back with nothing
done, returns, and policies that let pass; and of branches that differ only in their endpoint it tells the first one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.effect import Action
from pykubeproxy.netfilter.events import (
    Assumed,
    Event,
    Jumped,
    PolicyApplied,
    RoutedElsewhere,
    RoutedLocally,
    RoutingFailed,
    TargetAssumed,
)
from pykubeproxy.netfilter.outcome import BranchResult
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.questions import IsLocalAddress, Question, TargetLetsPass
from pykubeproxy.netfilter.tree import TraceNode
from pykubeproxy.rules import names
from pykubeproxy.rules.reading import title_in

_HASH = re.compile(r"-[A-Z2-7]{16}(?:-[0-9a-f]{1,2})?")
_JUMPS = (Action.JUMP, Action.GOTO)


class SimilarBranch(msgspec.Struct, frozen=True, kw_only=True):
    """A branch that goes the same way as another, to another endpoint."""

    probability: Fraction
    result: BranchResult


class BranchCondition(msgspec.Struct, frozen=True):
    """The answer to an open question that a branch assumes."""

    question: Question
    holds: bool


class CondensedNode(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the way, then its branches or its end; `similar` are branches told by this one.

    `condition` is the one on which this branch is taken, where a question is open.
    """

    probability: Fraction
    steps: tuple[Step, ...]
    branches: tuple["CondensedNode", ...] = ()
    result: BranchResult | None = None
    similar: tuple[SimilarBranch, ...] = ()
    condition: BranchCondition | None = None

    @property
    def total_probability(self) -> Fraction:
        """The share of all packets that this branch and its twins stand for."""
        return sum((other.probability for other in self.similar), self.probability)


def condense(tree: TraceNode, *, all_steps: bool = False, max_similar: int = 1) -> CondensedNode:
    """The story of a trace; with `all_steps`, each step of each branch.

    Equal branches are joined where there are more than `max_similar` of them.
    """
    children = [
        _with_condition(condense(child, all_steps=all_steps, max_similar=max_similar), tree) for child in tree.children
    ]
    if all_steps:
        return CondensedNode(
            probability=tree.probability, steps=tree.steps, branches=tuple(children), result=tree.result
        )
    branches = [inner for child in children for inner in _flattened(child)]
    following = [branch.steps[0] for branch in branches if branch.steps]
    return CondensedNode(
        probability=tree.probability,
        steps=_relevant_steps(tree.steps, following),
        branches=tuple(_joined(branches, max_similar)),
        result=tree.result,
    )


def service_of(steps: Iterable[Step]) -> str:
    """The ServicePort (`namespace/name:port`) whose rules were met first; empty if none were."""
    for step in steps:
        title = title_in(step.comment) if names.service_hash(jump_target(step)) or _refuses(step) else ""
        if title:
            return title
    return ""


def is_arrival(step: Step) -> bool:
    """True for the last step of a packet that gets through: it says the same as the ending."""
    return step.action is Action.ACCEPT and not step.table


def jump_target(step: Step) -> str:
    """The chain to which a step leads; empty if it leads to none."""
    return step.event.chain if isinstance(step.event, Jumped) else ""


def _with_condition(node: CondensedNode, parent: TraceNode) -> CondensedNode:
    """A branch with the answer that it assumes: each branch of an open question has all packets, not its share."""
    is_open = len(parent.children) > 1 and node.probability == parent.probability
    if not is_open or not node.steps:
        return node
    return msgspec.structs.replace(node, condition=_condition_of(node.steps[0].event))


def _condition_of(event: Event) -> BranchCondition | None:
    """The answer that the first event of a branch tells; None if it tells none."""
    match event:
        case Assumed(question, holds):
            return BranchCondition(question, holds)
        case TargetAssumed(target, passes):
            return BranchCondition(TargetLetsPass(target), passes)
        case RoutedLocally(target):
            return BranchCondition(IsLocalAddress(target), holds=True)
        case RoutedElsewhere(target=target) | RoutingFailed(target=target):
            return BranchCondition(IsLocalAddress(target), holds=False)
        case _:
            return None


def _refuses(step: Step) -> bool:
    return step.action in (Action.DROP, Action.REJECT) and step.chain.startswith("KUBE-")


def _flattened(node: CondensedNode) -> tuple[CondensedNode, ...]:
    """The branches of a stretch that only leads on to them, such as a group of endpoints; else the story itself."""
    only_jumps = node.steps and all(step.action in _JUMPS for step in node.steps)
    if not (node.branches and only_jumps):
        return (node,)
    first, *rest = node.branches
    spread = [
        CondensedNode(probability=other.probability, steps=first.steps, result=other.result) for other in first.similar
    ]
    return (msgspec.structs.replace(first, similar=()), *spread, *rest)


def _relevant_steps(steps: Sequence[Step], following: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that did something, or led to one that did; `following` are the first ones of the branches."""
    total_probability: list[Step] = []
    after = list(following)
    for step in reversed(steps):
        if _is_idle(step) or (step.action in _JUMPS and not any(_is_below(step, next_) for next_ in after)):
            continue
        total_probability.append(step)
        after = [step]
    return tuple(reversed(total_probability))


def _is_idle(step: Step) -> bool:
    """True for a step that changes nothing which anybody asks about."""
    if isinstance(step.event, PolicyApplied):
        return step.event.policy == "ACCEPT"
    # That the mark is taken off again once it has done its work is housekeeping.
    return step.action is Action.RETURN or (step.action is Action.MARK and step.chain == names.POSTROUTING)


def _is_below(jump: Step, step: Step) -> bool:
    return (step.hook, step.table) == (jump.hook, jump.table) and step.depth > jump.depth


def _joined(branches: Sequence[CondensedNode], max_similar: int) -> Iterator[CondensedNode]:
    """The branches; of too many that go the same way, all others are joined under the first."""
    found: dict[object, list[CondensedNode]] = {}
    for branch in branches:
        found.setdefault(_shape(branch), []).append(branch)
    for alike in found.values():
        if len(alike) <= max_similar:
            yield from alike
            continue
        similar = [
            SimilarBranch(probability=other.probability, result=other.result)
            for other in alike[1:]
            if other.result is not None
        ]
        yield msgspec.structs.replace(alike[0], similar=tuple(similar))


def _shape(node: CondensedNode) -> object:
    """What two branches have in common that differ only in their endpoint; only ends without twins are ever alike."""
    if node.branches or node.similar or node.result is None:
        return id(node)
    result = node.result
    steps = tuple((step.hook, step.table, _HASH.sub("", step.chain), step.action) for step in node.steps)
    return steps, result.verdict, result.masquerade, result.snat, node.condition
