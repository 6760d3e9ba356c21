"""Branches: the packets of a trace, divided by chance and at questions that cannot be decided, and joined again.

A trace follows all packets at once. It begins with one branch that holds all of them: its weight is 1. Two things
divide a branch:

- A random choice (`-m statistic`) divides the weight: with `--probability 0.25`, 1/4 of the packets match, 3/4 do not.
- A question that cannot be decided (`-i eth0`, where the interface of the packets is not known) leads to two
  branches which both keep the whole weight: either all packets match, or none does. Each remembers the answer that it
  assumes.

The number of branches would double at every such rule. Therefore branches in the same state are joined after each rule.
If their assumptions are the same, their weights are added up. If they differ only in the answer to their last question,
the answer has made no difference to these packets, and the assumption is dropped. An example:

    -A OUTER -i eth0 -j INNER                                               (the interface is not known)
    -A INNER -m statistic --mode random --probability 0.5 -j MARK --set-mark 1

    branches after the first rule     joined
    eth0: yes, mark 1, weight 1/2     eth0: yes, mark 1, weight 1/2
    eth0: yes, mark 0, weight 1/2     mark 0, weight 1/2                 <- with either answer
    eth0: no,  mark 0, weight 1       eth0: no,  mark 0, weight 1/2

Half of the packets have mark 0 in any case; what becomes of the other half depends on the question.
"""

from fractions import Fraction
from itertools import count

import msgspec

from pykubeproxy.netfilter.match_results import Undecided
from pykubeproxy.netfilter.outcome import Assumption
from pykubeproxy.netfilter.path import LinkedPath, Step
from pykubeproxy.netfilter.state import State

# A trace is given up beyond so many open questions of one branch, or so many divisions at questions in all.
MOST_QUESTIONS = 48
MOST_SPLITS = 10_000


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the packets, all in one state; `path` is the likeliest way that led there."""

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
        """The answer that this branch assumes already; None if there is none, or if it may be another one by now."""
        if not question.lasting:
            return None
        key = key_of(question, self.state)
        return next((assumed.holds for assumed in self.assumptions if assumed.key == key), None)


class BranchSplitter:
    """Divides branches at questions that cannot be decided, and numbers these divisions."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def split(self, branch: Branch, question: Undecided) -> tuple[Branch, Branch] | None:
        """The branch with the answer yes, and the one with the answer no; None if there are too many questions."""
        number = next(self._numbers)
        if len(branch.assumptions) >= MOST_QUESTIONS or number > MOST_SPLITS:
            return None
        key = key_of(question, branch.state) if question.lasting else (number,)
        yes, no = (
            Assumption(split=number, question=question.question, holds=holds, key=key, path=branch.path)
            for holds in (True, False)
        )
        return branch.but(assumptions=(*branch.assumptions, yes)), branch.but(assumptions=(*branch.assumptions, no))


def key_of(question: Undecided, state: State) -> tuple[object, ...]:
    """A question, and the fields of the packet that it may be about: for another address, it is another question."""
    return (
        question.question,
        state.source,
        state.destination,
        state.destination_port,
        state.in_interface,
        state.out_interface,
    )


_Group = tuple[State, tuple[Assumption, ...]]


def merged(branches: list[Branch]) -> list[Branch]:
    """Join branches in the same state, as described at the head of this module."""
    if len(branches) < 2:
        return branches
    groups: dict[_Group, Branch] = {}
    for branch in branches:
        _join(groups, branch)
    if any(assumptions for _, assumptions in groups):
        _drop_needless_assumptions(groups)
    return list(groups.values())


def _join(groups: dict[_Group, Branch], branch: Branch) -> None:
    key = (branch.state, branch.assumptions)
    other = groups.get(key)
    groups[key] = branch if other is None else other.but(weight=other.weight + branch.weight)


def _drop_needless_assumptions(groups: dict[_Group, Branch]) -> None:
    """Join branches that differ only in the answer to their last question, those with most assumptions first."""
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
