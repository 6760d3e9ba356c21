"""What becomes of a packet: the results of all branches, added up to outcomes.

Branches with equal results become one outcome, with the sum of their probabilities. Branches that end differently
depending on a question that cannot be decided become one outcome UNDECIDED, with what follows from either answer as its
alternatives. What happens with both answers does not depend on the question, and is an outcome of its own. An example
with the question whether `-i eth0` matches:

    branches                                  outcomes
    eth0: yes   DROP              1/2         ACCEPT to 10.0.0.1   1/2
    eth0: yes   ACCEPT 10.0.0.1   1/2         UNDECIDED            1/2
    eth0: no    ACCEPT 10.0.0.1   1             if -i eth0:       DROP                 1/2
                                                if not -i eth0:   ACCEPT to 10.0.0.1   1/2

A branch with several assumptions has them in the order in which questions were asked. The first one divides all
branches into two sides; each side is added up in this way by its second assumption, and so on.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.causes import Cause, Undecidable
from pykubeproxy.netfilter.path import LinkedPath, Step
from pykubeproxy.netfilter.questions import Question


class Verdict(StrEnum):
    """What becomes of a packet. UNDECIDED: that depends on something that is not known.

    LOST: no rule stops it, but nothing answers at its destination. The simulator never says so, since it does not know
    what addresses are for; those who do may say it of a packet that the simulator accepts.
    """

    ACCEPT = "ACCEPT"
    LOST = "LOST"
    DROP = "DROP"
    REJECT = "REJECT"
    UNDECIDED = "UNDECIDED"


class BranchResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one branch ends. `dnat` is where the packet was redirected to (`ip:port`), None if nowhere.

    `masquerade`: its source was replaced by an address of this node; `snat`: by that of an SNAT rule. `cause` says
    where the packet goes, or why it does not get through.
    """

    verdict: Verdict
    dnat: str | None = None
    masquerade: bool = False
    snat: str | None = None
    cause: Cause


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that a branch assumes to a question which cannot be decided.

    `split` is the number of the division at which it was asked, `path` the way up to there. `key` identifies the
    question together with the packet's addresses and interfaces at that moment.
    """

    split: int
    question: Question
    holds: bool
    key: tuple[object, ...]
    path: LinkedPath


class FinishedBranch(msgspec.Struct, frozen=True, kw_only=True):
    """A branch at its end: its result, its share of all packets, its assumptions and its way."""

    result: BranchResult
    probability: Fraction
    assumptions: tuple[Assumption, ...]
    path: LinkedPath


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the packets of an undecided outcome if the answer to its question is `holds`."""

    question: Question
    holds: bool
    outcomes: tuple["Outcome", ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a share of the packets.

    The probabilities of all outcomes of a Trace add up to exactly 1, and those of each alternative to that of its
    outcome. `path` is the way of the likeliest branch that ends like this. With the verdict UNDECIDED, `cause` names
    the question, and `dnat`, `masquerade` and `snat` are what the alternatives have in common.
    """

    probability: Fraction
    verdict: Verdict
    dnat: str | None
    masquerade: bool
    snat: str | None
    cause: Cause
    path: tuple[Step, ...]
    alternatives: tuple[Alternative, ...] = ()


def decided(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """All outcomes that may come about, those of alternatives in place of the undecided ones."""
    for outcome in outcomes:
        if outcome.alternatives:
            yield from (inner for each in outcome.alternatives for inner in decided(each.outcomes))
        else:
            yield outcome


# Undecided outcomes are equal if they have one question, and if their packets end alike with either answer.
_Key = tuple[BranchResult, frozenset[object], frozenset[object]]


class _Sum(msgspec.Struct, kw_only=True):
    """The sum of equal results so far, and the path of the likeliest of them; `sides` are the answers yes and no."""

    probability: Fraction
    path: LinkedPath
    likeliest: Fraction
    sides: "tuple[_Sums, _Sums] | None" = None


_Sums = dict[_Key, _Sum]


def sum_up(branches: Sequence[FinishedBranch]) -> tuple[Outcome, ...]:
    """The outcomes of a packet from all its branches, in the order in which they first appear."""
    return _outcomes(_sums(branches, 0), Fraction(1))


def _sums(branches: Iterable[FinishedBranch], depth: int) -> _Sums:
    """Add up branches that have their first `depth` assumptions in common."""
    sums: _Sums = {}
    undecided: dict[int, list[FinishedBranch]] = {}
    for branch in branches:
        if len(branch.assumptions) > depth:
            undecided.setdefault(branch.assumptions[depth].split, []).append(branch)
        else:
            key = (branch.result, _NOTHING, _NOTHING)
            _add(sums, key, _Sum(probability=branch.probability, path=branch.path, likeliest=branch.probability))
    for group in undecided.values():
        for key, added in _sum_of_answers(group, depth).items():
            _add(sums, key, added)
    return sums


_NOTHING: frozenset[object] = frozenset()


def _add(sums: _Sums, key: _Key, added: _Sum) -> None:
    known = sums.setdefault(key, added)
    if known is not added:
        known.probability += added.probability
        if added.likeliest > known.likeliest:
            known.likeliest, known.path = added.likeliest, added.path


def _sum_of_answers(branches: list[FinishedBranch], depth: int) -> _Sums:
    """Add up the branches of one question: what happens with both answers, and the rest as one undecided result."""
    asked = branches[0].assumptions[depth]
    yes, no = (
        _sums([each for each in branches if each.assumptions[depth].holds is holds], depth + 1)
        for holds in (True, False)
    )
    common: _Sums = {}
    for key in [key for key in yes if key in no]:
        least = min(yes[key].probability, no[key].probability)
        common[key] = msgspec.structs.replace(yes[key], probability=least, likeliest=least)
        for side in (yes, no):
            side[key].probability -= least
            if not side[key].probability:
                del side[key]
    if yes or no:
        result = _undecided_result([key[0] for side in (yes, no) for key in side], Undecidable(asked.question))
        rest = max(_total(yes), _total(no))
        common[result, _proportions(yes), _proportions(no)] = _Sum(
            probability=rest, path=asked.path, likeliest=rest, sides=(yes, no)
        )
    return common


def _total(sums: _Sums) -> Fraction:
    return sum((each.probability for each in sums.values()), Fraction(0))


def _proportions(sums: _Sums) -> frozenset[object]:
    total = _total(sums)
    return frozenset((key, each.probability / total) for key, each in sums.items())


def _undecided_result(results: Sequence[BranchResult], cause: Cause) -> BranchResult:
    """An undecided result, with what all these results have in common."""
    first = results[0]
    return BranchResult(
        verdict=Verdict.UNDECIDED,
        dnat=first.dnat if all(result.dnat == first.dnat for result in results) else None,
        masquerade=all(result.masquerade for result in results),
        snat=first.snat if all(result.snat == first.snat for result in results) else None,
        cause=cause,
    )


def _outcomes(sums: _Sums, scale: Fraction) -> tuple[Outcome, ...]:
    """The outcomes of these sums; all probabilities are multiplied by `scale`."""
    return tuple(_outcome(key[0], each, scale) for key, each in sums.items())


def _outcome(result: BranchResult, summed: _Sum, scale: Fraction) -> Outcome:
    alternatives: tuple[Alternative, ...] = ()
    if summed.sides:
        assert isinstance(result.cause, Undecidable)
        question = result.cause.question
        inner = scale * summed.probability / _total(summed.sides[0])
        alternatives = tuple(
            Alternative(question=question, holds=holds, outcomes=_outcomes(side, inner))
            for holds, side in zip((True, False), summed.sides, strict=True)
        )
    return Outcome(
        probability=summed.probability * scale,
        verdict=result.verdict,
        dnat=result.dnat,
        masquerade=result.masquerade,
        snat=result.snat,
        cause=result.cause,
        path=summed.path.steps(),
        alternatives=alternatives,
    )
