"""A trace with several questions that cannot be decided, on one screen: each question once, and each end once.

The outcomes of such a trace are nested, question within question, and again for each endpoint:

    for 10.0.0.1   if -m set A:  if -m set B:  ACCEPT to 10.0.0.1      questions   1  -m set A
                                 if not:       DROP by rule 7                      2  -m set B
                   if not -m set A:            ACCEPT to 10.0.0.1      ends        ACCEPT to 10.0.0.1 or 10.0.0.2
    for 10.0.0.2   (all of that again)                                             DROP by rule 7      if 1, and not 2
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import msgspec

from pykubeproxy.explain.condensed import CondensedNode, condition_of, is_arrival, jump_target
from pykubeproxy.netfilter.causes import Arrives
from pykubeproxy.netfilter.effect import Action
from pykubeproxy.netfilter.outcome import Outcome
from pykubeproxy.netfilter.path import Step
from pykubeproxy.netfilter.questions import Question
from pykubeproxy.netfilter.tree import TraceNode
from pykubeproxy.netfilter.walk import Trace
from pykubeproxy.rules import names


class AskedQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question that cannot be decided, and the step at which it is first asked."""

    question: Question
    step: Step


class NumberedAnswer(msgspec.Struct, frozen=True):
    """The answer to the question of a number, from 1."""

    number: int
    holds: bool


class PossibleEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How packets may end, and `others`, the addresses (`ip:port`) on the way to which they end alike.

    `answers` are those without which no packet ends like this; there may be more to it.
    """

    outcome: Outcome
    others: tuple[str, ...]
    answers: tuple[NumberedAnswer, ...]


class UndecidedSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The share of the packets whose end depends on questions, the questions, and all ends that are possible."""

    probability: Fraction
    questions: tuple[AskedQuestion, ...]
    ends: tuple[PossibleEnd, ...]


Answers = frozenset[tuple[Question, bool]]


def summarize_undecided(traced: Trace) -> UndecidedSummary | None:
    """The questions and ends of a trace; None if not more than one question is asked, and only once."""
    undecided = [outcome for outcome in traced.outcomes if outcome.alternatives]
    if sum(_count_questions(outcome) for outcome in undecided) < 2:
        return None
    groups: dict[object, list[tuple[Outcome, Answers]]] = {}
    for outcome, answers in _ends(undecided, frozenset()):
        groups.setdefault(_likeness(outcome), []).append((outcome, answers))
    questions = tuple(
        _asked(traced.tree, {question for *_, its in _ends(undecided, frozenset()) for question, _ in its})
    )
    numbers = {asked.question: number for number, asked in enumerate(questions, 1)}
    return UndecidedSummary(
        probability=sum((outcome.probability for outcome in undecided), Fraction(0)),
        questions=questions,
        ends=tuple(_possible_end(group, numbers) for group in groups.values()),
    )


def steps_of_all(node: CondensedNode) -> tuple[Step, ...]:
    """What Services do to the packets of any branch: each rule once, and endpoints as one, by hook and table.

    Questions and refusals are left out, and with them the rules of others that only lead to these.
    """
    found: dict[object, Step] = {}
    for step in _steps(node):
        if _is_of_services(step):
            place = (step.hook, step.table, names.without_hash(step.chain), step.action)
            is_of_endpoint = step.chain.startswith(names.ENDPOINT) or jump_target(step).startswith(names.ENDPOINT)
            found.setdefault(place if is_of_endpoint or not step.rule else (*place, step.position), step)
    stages = list(dict.fromkeys((step.hook, step.table) for step in found.values()))
    return tuple(sorted(found.values(), key=lambda step: stages.index((step.hook, step.table))))


def _count_questions(outcome: Outcome) -> int:
    inner = (each for alternative in outcome.alternatives for each in alternative.outcomes)
    return bool(outcome.alternatives) + sum(map(_count_questions, inner))


def _ends(outcomes: Iterable[Outcome], answers: Answers) -> Iterator[tuple[Outcome, Answers]]:
    """All ends, each with the answers that lead there."""
    for outcome in outcomes:
        if not outcome.alternatives:
            yield outcome, answers
        for each in outcome.alternatives:
            yield from _ends(each.outcomes, answers | {(each.question, each.holds)})


def _likeness(outcome: Outcome) -> object:
    """A key that ends have in common which differ in nothing but their endpoint."""
    cause = outcome.cause
    end = type(cause.event) if isinstance(cause, Arrives) and outcome.dnat is not None else cause
    return outcome.verdict, end, outcome.masquerade, outcome.snat


def _possible_end(group: Sequence[tuple[Outcome, Answers]], numbers: dict[Question, int]) -> PossibleEnd:
    outcomes = [outcome for outcome, _ in group]
    others = dict.fromkeys(outcome.dnat for outcome in outcomes if outcome.dnat not in (None, outcomes[0].dnat))
    common = frozenset.intersection(*(answers for _, answers in group))
    answers = (NumberedAnswer(numbers[question], holds) for question, holds in common if question in numbers)
    return PossibleEnd(
        outcome=outcomes[0],
        others=tuple(text for text in others if text is not None),
        answers=tuple(sorted(answers, key=lambda its: its.number)),
    )


def _asked(node: TraceNode, wanted: set[Question]) -> Iterator[AskedQuestion]:
    """The questions that are among `wanted`, each where it is asked first, in the order of the packet's way."""
    found: dict[Question, Step] = {}
    waiting = [node]
    while waiting:
        following: list[TraceNode] = []
        for each in waiting:
            condition = condition_of(each.steps[0].event) if each.steps else None
            if condition is not None and condition.question in wanted:
                found.setdefault(condition.question, each.steps[0])
            following += each.children
        waiting = following
    for question, step in found.items():
        yield AskedQuestion(question=question, step=step)


def _steps(node: CondensedNode) -> Iterator[Step]:
    yield from node.steps
    for branch in node.branches:
        yield from _steps(branch)


def _is_of_services(step: Step) -> bool:
    if step.action in (Action.UNDECIDED, Action.DROP, Action.REJECT) or is_arrival(step):
        return False
    is_change = step.action in (Action.DNAT, Action.SNAT, Action.MASQUERADE, Action.ROUTE)
    return is_change or any(chain.startswith("KUBE-") for chain in (step.chain, jump_target(step)))
