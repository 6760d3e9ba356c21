"""A trace condensed for people: without the steps that changed nothing, and with similar branches joined.

A packet meets many rules that only ask whether it is for them. Condensing leaves out
- jumps to chains that changed nothing, returns, and policies that accept;
- of branches that differ only in their endpoint all but the first, which lists the others as `similar`.

For a Service with three endpoints, the whole tree and the condensed one:

    PREROUTING: → KUBE-SERVICES                   PREROUTING: → KUBE-SERVICES
    KUBE-SERVICES: → KUBE-SVC-X                   KUBE-SERVICES: → KUBE-SVC-X
    ├─ 1/3  → KUBE-SEP-A, DNAT → 10.0.0.1:80      └─ 1/3  → KUBE-SEP-A, DNAT → 10.0.0.1:80
    ├─ 1/3  → KUBE-SEP-B, DNAT → 10.0.0.2:80         similar: 1/3 10.0.0.2:80, 1/3 10.0.0.3:80
    └─ 1/3  → KUBE-SEP-C, DNAT → 10.0.0.3:80
"""

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

_JUMPS = (Action.JUMP, Action.GOTO)


class SimilarBranch(msgspec.Struct, frozen=True, kw_only=True):
    """A branch that takes the same steps as another one, to another endpoint."""

    probability: Fraction
    result: BranchResult


class BranchCondition(msgspec.Struct, frozen=True):
    """A question that cannot be decided, and the answer with which a branch is taken."""

    question: Question
    holds: bool


class CondensedNode(msgspec.Struct, frozen=True, kw_only=True):
    """Steps without branches between them, then the branches, or the result where the packet's way ends.

    `similar` are the branches that this one stands for as well. `condition` is None for a branch that is taken with a
    probability, and for the root.
    """

    probability: Fraction
    steps: tuple[Step, ...]
    branches: tuple["CondensedNode", ...] = ()
    result: BranchResult | None = None
    similar: tuple[SimilarBranch, ...] = ()
    condition: BranchCondition | None = None

    @property
    def total_probability(self) -> Fraction:
        """The share of all packets that takes this branch or a similar one."""
        return sum((other.probability for other in self.similar), self.probability)


def condense(tree: TraceNode, *, all_steps: bool = False, max_similar: int = 1) -> CondensedNode:
    """Condense the tree of a trace; with `all_steps`, only add the conditions of branches.

    Similar branches are joined where there are more than `max_similar` of them.
    """
    branches = [
        _with_condition(condense(child, all_steps=all_steps, max_similar=max_similar), tree) for child in tree.children
    ]
    steps = tree.steps
    if not all_steps:
        branches = [inner for branch in branches for inner in _flattened(branch)]
        steps = _relevant_steps(steps, [branch.steps[0] for branch in branches if branch.steps])
        branches = list(_joined(branches, max_similar))
    return CondensedNode(probability=tree.probability, steps=steps, branches=tuple(branches), result=tree.result)


def service_of(steps: Iterable[Step]) -> str:
    """The ServicePort (`namespace/name:port`) whose rules were met first; empty if none were."""
    for step in steps:
        title = title_in(step.comment) if names.service_hash(jump_target(step)) or _refuses(step) else ""
        if title:
            return title
    return ""


def is_arrival(step: Step) -> bool:
    """True for the last step of a packet that gets through, which repeats what the result says."""
    return step.action is Action.ACCEPT and not step.table


def jump_target(step: Step) -> str:
    """The chain to which a step leads; empty if it leads to none."""
    return step.event.chain if isinstance(step.event, Jumped) else ""


def condition_of(event: Event) -> BranchCondition | None:
    """The condition of a branch, from its first event; None if that event tells none."""
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


def _with_condition(branch: CondensedNode, parent: TraceNode) -> CondensedNode:
    """A branch of `parent` with its condition.

    The two branches of a question that cannot be decided have the probability of their parent each; the branches of a
    random choice divide it among them, and have no condition.
    """
    is_undecided = len(parent.children) > 1 and branch.probability == parent.probability
    if not is_undecided or not branch.steps:
        return branch
    return msgspec.structs.replace(branch, condition=condition_of(branch.steps[0].event))


def _refuses(step: Step) -> bool:
    return step.action in (Action.DROP, Action.REJECT) and step.chain.startswith("KUBE-")


def _flattened(node: CondensedNode) -> tuple[CondensedNode, ...]:
    """The branches of a node that only jumps to them, such as a group of endpoints; any other node as it is."""
    only_jumps = node.steps and all(step.action in _JUMPS for step in node.steps)
    if not (node.branches and only_jumps):
        return (node,)
    first, *rest = node.branches
    others = [
        CondensedNode(probability=other.probability, steps=first.steps, result=other.result) for other in first.similar
    ]
    return (msgspec.structs.replace(first, similar=()), *others, *rest)


def _relevant_steps(steps: Sequence[Step], following: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that did something, and the jumps that led to one; `following` are the first steps of the branches."""
    kept: list[Step] = []
    after = list(following)
    for step in reversed(steps):
        if _is_idle(step) or (step.action in _JUMPS and not any(_is_below(step, later) for later in after)):
            continue
        kept.append(step)
        after = [step]
    return tuple(reversed(kept))


def _is_idle(step: Step) -> bool:
    """True for a step that changes nothing about how the packet ends."""
    if isinstance(step.event, PolicyApplied):
        return step.event.policy == "ACCEPT"
    # KUBE-POSTROUTING removes the mark for masquerading, which nothing looks at afterwards.
    return step.action is Action.RETURN or (step.action is Action.MARK and step.chain == names.POSTROUTING)


def _is_below(jump: Step, step: Step) -> bool:
    """True for a step in a chain that was called by `jump`, directly or not."""
    return (step.hook, step.table) == (jump.hook, jump.table) and step.depth > jump.depth


def _joined(branches: Sequence[CondensedNode], max_similar: int) -> Iterator[CondensedNode]:
    """The branches, with all but the first of more than `max_similar` similar ones joined to the first."""
    groups: dict[object, list[CondensedNode]] = {}
    for branch in branches:
        groups.setdefault(_shape(branch), []).append(branch)
    for group in groups.values():
        if len(group) <= max_similar:
            yield from group
            continue
        similar = tuple(
            SimilarBranch(probability=other.probability, result=other.result)
            for other in group[1:]
            if other.result is not None
        )
        yield msgspec.structs.replace(group[0], similar=similar)


def _shape(node: CondensedNode) -> object:
    """A key that similar branches have in common; a branch that branches again is similar to no other."""
    if node.branches or node.similar or node.result is None:
        return id(node)
    result = node.result
    steps = tuple((step.hook, step.table, names.without_hash(step.chain), step.action) for step in node.steps)
    return steps, result.verdict, result.masquerade, result.snat, node.condition
