"""Branches: the packets split up by chance and by undecided questions, and joined again where nothing differs."""

from fractions import Fraction
from itertools import count

import msgspec

from pykubeproxy.netfilter.match_results import Undecided
from pykubeproxy.netfilter.outcome import Assumption
from pykubeproxy.netfilter.path import LinkedPath, Step
from pykubeproxy.netfilter.state import State

# Questions that stay open on one way, and forks in all: beyond these, a trace would tell nobody anything.
MOST_QUESTIONS = 48
MOST_SPLITS = 10_000


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the packets, all in the same state, and how they came to be in it."""

    state: State
    weight: Fraction
    path: LinkedPath
    assumptions: tuple[Assumption, ...] = ()

    def but(self, **changes: object) -> "Branch":
        """This branch with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    def then(self, step: Step) -> "Branch":
        """This branch, one step further."""
        return Branch(state=self.state, weight=self.weight, path=self.path.then(step), assumptions=self.assumptions)

    def known(self, question: Undecided) -> bool | None:
        """What this branch assumes already about a question; None if it was not asked, or may change its answer."""
        if not question.lasting:
            return None
        key = key_of(question, self.state)
        return next((assumed.holds for assumed in self.assumptions if assumed.key == key), None)


class BranchSplitter:
    """Splits branches at questions that cannot be decided, and numbers these forks."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def split(self, branch: Branch, question: Undecided) -> tuple[Branch, Branch] | None:
        """A branch if the answer is yes, and if it is no; None if there have been too many forks."""
        fork = next(self._numbers)
        if len(branch.assumptions) >= MOST_QUESTIONS or fork > MOST_SPLITS:
            return None
        key = key_of(question, branch.state) if question.lasting else (fork,)
        yes, no = (
            Assumption(fork=fork, question=question.question, holds=holds, key=key, path=branch.path)
            for holds in (True, False)
        )
        return branch.but(assumptions=(*branch.assumptions, yes)), branch.but(assumptions=(*branch.assumptions, no))


def key_of(question: Undecided, state: State) -> tuple[object, ...]:
    """What is asked about what: the same question about other addresses is another question."""
    return (
        question.question,
        state.source,
        state.destination,
        state.destination_port,
        state.in_interface,
        state.out_interface,
    )


def merged(branches: list[Branch]) -> list[Branch]:
    """Joins branches in the same state. If both answers to a question lead to it, the question is not open any more."""
    if len(branches) < 2:
        return branches
    groups: dict[tuple[State, tuple[Assumption, ...]], Branch] = {}
    for branch in branches:
        _join(groups, branch)
    if any(assumptions for _, assumptions in groups):
        _close_questions(groups)
    return list(groups.values())


def _join(groups: dict[tuple[State, tuple[Assumption, ...]], Branch], branch: Branch) -> None:
    key = (branch.state, branch.assumptions)
    other = groups.get(key)
    groups[key] = branch if other is None else other.but(weight=other.weight + branch.weight)


def _close_questions(groups: dict[tuple[State, tuple[Assumption, ...]], Branch]) -> None:
    """Of what reaches a state with either answer, drops the assumption; the longest assumptions come first."""
    waiting = sorted(groups, key=lambda key: len(key[1]))
    while waiting:
        state, assumptions = waiting.pop()
        if not assumptions or (state, assumptions) not in groups:
            continue
        last = assumptions[-1]
        opposite = (*assumptions[:-1], msgspec.structs.replace(last, holds=not last.holds))
        if (state, opposite) not in groups:
            continue
        mine, other = groups.pop((state, assumptions)), groups.pop((state, opposite))
        least = min(mine.weight, other.weight)
        for branch in (mine, other):
            if branch.weight > least:
                _join(groups, branch.but(weight=branch.weight - least))
        kept = mine if last.holds is False else other
        _join(groups, kept.but(weight=least, assumptions=assumptions[:-1], path=last.path))
        waiting.append((state, assumptions[:-1]))
