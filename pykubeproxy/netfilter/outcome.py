"""What becomes of a packet: the endings of all its branches, summed up."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.causes import Cause, Undecidable
from pykubeproxy.netfilter.path import LinkedPath, Step
from pykubeproxy.netfilter.questions import Question


class Verdict(StrEnum):
    """What becomes of a packet. UNDECIDED depends on something that a trace cannot know."""

    ACCEPT = "ACCEPT"
    DROP = "DROP"
    REJECT = "REJECT"
    UNDECIDED = "UNDECIDED"


class BranchResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one branch ends. `dnat` is where the packet was redirected to (`ip:port`), None if nowhere.

    `masquerade`: its source was replaced by an address of this node; `snat`: by that of an SNAT rule. `cause` is where
    it goes, or why it does not.
    """

    verdict: Verdict
    dnat: str | None = None
    masquerade: bool = False
    snat: str | None = None
    cause: Cause


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that was assumed where a question cannot be decided.

    `fork` numbers the moments of asking, `key` tells what was asked about what, `path` is the way up to there.
    """

    fork: int
    question: Question
    holds: bool
    key: tuple[object, ...]
    path: LinkedPath


class FinishedBranch(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one branch: how, for which share of the packets, on which assumptions, and by which way."""

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
    """What becomes of a share of the packets; equal endings are summed up.

    The probabilities of all outcomes of a Trace add up to exactly 1, and those of each alternative to that of its
    outcome. `path` is the way of the likeliest branch that ends like this. With the verdict UNDECIDED, `cause` names
    what cannot be decided, `alternatives` say what follows from either answer, and `dnat`, `masquerade` and `snat` are
    what the alternatives have in common.
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
    """The outcomes, and in the place of those that depend on an open question what follows from either answer."""
    for outcome in outcomes:
        if outcome.alternatives:
            yield from (inner for each in outcome.alternatives for inner in decided(each.outcomes))
        else:
            yield outcome


# What makes two undecided outcomes equal: the question, and how their packets fare with either answer.
_Key = tuple[BranchResult, frozenset[object], frozenset[object]]


class _Share(msgspec.Struct, kw_only=True):
    """The sum of equal endings so far, and the way of the likeliest of them."""

    probability: Fraction
    path: LinkedPath
    likeliest: Fraction
    sides: "tuple[_Shares, _Shares] | None" = None

    def total(self) -> Fraction:
        """What both sides of an undecided share add up to, before any of it was found to be decided."""
        return _total(self.sides[0]) if self.sides else self.probability


_Shares = dict[_Key, _Share]


def sum_up(ends: Sequence[FinishedBranch]) -> tuple[Outcome, ...]:
    """The outcomes of a packet, given the ends of all its branches; in the order in which they first appear."""
    return _outcomes(_shares(ends, 0), Fraction(1))


def _shares(ends: Iterable[FinishedBranch], depth: int) -> _Shares:
    """Sums up ends that agree in their first `depth` assumptions."""
    shares: _Shares = {}
    forks: dict[int, list[FinishedBranch]] = {}
    for end in ends:
        if len(end.assumptions) > depth:
            forks.setdefault(end.assumptions[depth].fork, []).append(end)
        else:
            key = (end.result, _NOTHING, _NOTHING)
            _add(shares, key, _Share(probability=end.probability, path=end.path, likeliest=end.probability))
    for undecided in forks.values():
        for key, share in _either(undecided, depth).items():
            _add(shares, key, share)
    return shares


_NOTHING: frozenset[object] = frozenset()


def _add(shares: _Shares, key: _Key, share: _Share) -> None:
    known = shares.setdefault(key, share)
    if known is not share:
        known.probability += share.probability
        if share.likeliest > known.likeliest:
            known.likeliest, known.path = share.likeliest, share.path


def _either(ends: list[FinishedBranch], depth: int) -> _Shares:
    """Sums up the two sides of one question.

    What happens with either answer is decided after all; only the rest of the packets depends on it.
    """
    asked = ends[0].assumptions[depth]
    yes, no = (
        _shares([end for end in ends if end.assumptions[depth].holds is holds], depth + 1) for holds in (True, False)
    )
    common: _Shares = {}
    for key in [key for key in yes if key in no]:
        least = min(yes[key].probability, no[key].probability)
        common[key] = msgspec.structs.replace(yes[key], probability=least, likeliest=least)
        for side in (yes, no):
            side[key].probability -= least
            if not side[key].probability:
                del side[key]
    if yes or no:
        result = _in_common([key[0] for side in (yes, no) for key in side], Undecidable(asked.question))
        rest = max(_total(yes), _total(no))
        common[result, _signature(yes), _signature(no)] = _Share(
            probability=rest, path=asked.path, likeliest=rest, sides=(yes, no)
        )
    return common


def _total(shares: _Shares) -> Fraction:
    return sum((share.probability for share in shares.values()), Fraction(0))


def _signature(shares: _Shares) -> frozenset[object]:
    total = _total(shares)
    return frozenset((key, share.probability / total) for key, share in shares.items())


def _in_common(results: Sequence[BranchResult], cause: Cause) -> BranchResult:
    """An undecided ending with what all these endings agree on."""
    first = results[0]
    return BranchResult(
        verdict=Verdict.UNDECIDED,
        dnat=first.dnat if all(result.dnat == first.dnat for result in results) else None,
        masquerade=all(result.masquerade for result in results),
        snat=first.snat if all(result.snat == first.snat for result in results) else None,
        cause=cause,
    )


def _outcomes(shares: _Shares, scale: Fraction) -> tuple[Outcome, ...]:
    """The outcomes of these shares; all probabilities are multiplied by `scale`."""
    return tuple(_outcome(key[0], share, scale) for key, share in shares.items())


def _outcome(result: BranchResult, share: _Share, scale: Fraction) -> Outcome:
    alternatives: tuple[Alternative, ...] = ()
    if share.sides:
        assert isinstance(result.cause, Undecidable)
        question = result.cause.question
        inner = scale * share.probability / share.total()
        alternatives = tuple(
            Alternative(question=question, holds=holds, outcomes=_outcomes(side, inner))
            for holds, side in zip((True, False), share.sides, strict=True)
        )
    return Outcome(
        probability=share.probability * scale,
        verdict=result.verdict,
        dnat=result.dnat,
        masquerade=result.masquerade,
        snat=result.snat,
        cause=result.cause,
        path=share.path.steps(),
        alternatives=alternatives,
    )
