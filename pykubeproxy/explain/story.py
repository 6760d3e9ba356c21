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
from pykubeproxy.netfilter.outcome import Ending
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.questions import IsLocalAddress, Question, TargetLetsPass
from pykubeproxy.netfilter.tree import TraceNode
from pykubeproxy.rules import names

_HASH = re.compile(r"-[A-Z2-7]{16}(?:-[0-9a-f]{1,2})?")
_JUMPS = (Action.JUMP, Action.GOTO)
_TITLE = re.compile(r"[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9]*(?::[a-z0-9][-a-z0-9]*)?")


class Twin(msgspec.Struct, frozen=True, kw_only=True):
    """A branch that goes the same way as another, to another endpoint."""

    probability: Fraction
    ending: Ending


class Answer(msgspec.Struct, frozen=True):
    """The answer to an open question that a branch assumes."""

    question: Question
    holds: bool


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the way, then its branches or its end; `twins` are branches told by this one.

    `answer` is the one on which this branch is taken, where a question is open.
    """

    probability: Fraction
    steps: tuple[Step, ...]
    branches: tuple["Story", ...] = ()
    ending: Ending | None = None
    twins: tuple[Twin, ...] = ()
    answer: Answer | None = None

    @property
    def told(self) -> Fraction:
        """The share of all packets that this branch and its twins stand for."""
        return sum((twin.probability for twin in self.twins), self.probability)


def tell(tree: TraceNode, *, everything: bool = False, most_alike: int = 1) -> Story:
    """The story of a trace; with `everything`, each step of each branch.

    Equal branches are joined where there are more than `most_alike` of them.
    """
    children = [_answered(tell(child, everything=everything, most_alike=most_alike), tree) for child in tree.children]
    if everything:
        return Story(probability=tree.probability, steps=tree.steps, branches=tuple(children), ending=tree.ending)
    branches = [inner for child in children for inner in _hoisted(child)]
    following = [branch.steps[0] for branch in branches if branch.steps]
    return Story(
        probability=tree.probability,
        steps=_worth_telling(tree.steps, following),
        branches=tuple(_without_twins(branches, most_alike)),
        ending=tree.ending,
    )


def service_of(steps: Iterable[Step]) -> str:
    """The ServicePort (`namespace/name:port`) whose rules were met first; empty if none were."""
    for step in steps:
        found = _TITLE.match(step.comment) if names.service_hash(jump_target(step)) or _refuses(step) else None
        if found:
            return found[0]
    return ""


def is_arrival(step: Step) -> bool:
    """True for the last step of a packet that gets through: it says the same as the ending."""
    return step.action is Action.ACCEPT and not step.table


def jump_target(step: Step) -> str:
    """The chain to which a step leads; empty if it leads to none."""
    return step.event.chain if isinstance(step.event, Jumped) else ""


def _answered(story: Story, parent: TraceNode) -> Story:
    """A branch with the answer that it assumes: each branch of an open question has all packets, not its share."""
    is_open = len(parent.children) > 1 and story.probability == parent.probability
    if not is_open or not story.steps:
        return story
    return msgspec.structs.replace(story, answer=_answer(story.steps[0].event))


def _answer(event: Event) -> Answer | None:
    """The answer that the first event of a branch tells; None if it tells none."""
    match event:
        case Assumed(question, holds):
            return Answer(question, holds)
        case TargetAssumed(target, passes):
            return Answer(TargetLetsPass(target), passes)
        case RoutedLocally(target):
            return Answer(IsLocalAddress(target), holds=True)
        case RoutedElsewhere(target=target) | RoutingFailed(target=target):
            return Answer(IsLocalAddress(target), holds=False)
        case _:
            return None


def _refuses(step: Step) -> bool:
    return step.action in (Action.DROP, Action.REJECT) and step.chain.startswith("KUBE-")


def _hoisted(story: Story) -> tuple[Story, ...]:
    """The branches of a stretch that only leads on to them, such as a group of endpoints; else the story itself."""
    only_jumps = story.steps and all(step.action in _JUMPS for step in story.steps)
    if not (story.branches and only_jumps):
        return (story,)
    first, *rest = story.branches
    spread = [Story(probability=twin.probability, steps=first.steps, ending=twin.ending) for twin in first.twins]
    return (msgspec.structs.replace(first, twins=()), *spread, *rest)


def _worth_telling(steps: Sequence[Step], following: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that did something, or led to one that did; `following` are the first ones of the branches."""
    told: list[Step] = []
    after = list(following)
    for step in reversed(steps):
        if _is_idle(step) or (step.action in _JUMPS and not any(_is_below(step, next_) for next_ in after)):
            continue
        told.append(step)
        after = [step]
    return tuple(reversed(told))


def _is_idle(step: Step) -> bool:
    """True for a step that changes nothing which anybody asks about."""
    if isinstance(step.event, PolicyApplied):
        return step.event.policy == "ACCEPT"
    # That the mark is taken off again once it has done its work is housekeeping.
    return step.action is Action.RETURN or (step.action is Action.MARK and step.chain == names.POSTROUTING)


def _is_below(jump: Step, step: Step) -> bool:
    return (step.hook, step.table) == (jump.hook, jump.table) and step.depth > jump.depth


def _without_twins(branches: Sequence[Story], most_alike: int) -> Iterator[Story]:
    """The branches; of too many that go the same way, all others are joined under the first."""
    found: dict[object, list[Story]] = {}
    for branch in branches:
        found.setdefault(_way(branch), []).append(branch)
    for alike in found.values():
        if len(alike) <= most_alike:
            yield from alike
            continue
        twins = [
            Twin(probability=twin.probability, ending=twin.ending) for twin in alike[1:] if twin.ending is not None
        ]
        yield msgspec.structs.replace(alike[0], twins=tuple(twins))


def _way(story: Story) -> object:
    """What two branches have in common that differ only in their endpoint; only ends without twins are ever alike."""
    if story.branches or story.twins or story.ending is None:
        return id(story)
    ending = story.ending
    steps = tuple((step.hook, step.table, _HASH.sub("", step.chain), step.action) for step in story.steps)
    return steps, ending.verdict, ending.masquerade, ending.snat, story.answer
