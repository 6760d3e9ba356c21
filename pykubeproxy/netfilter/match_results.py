"""What a match can answer about a packet: yes, no, by chance, or that it cannot be decided from what is known."""

from collections.abc import Callable
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.questions import MatchHolds, Question
from pykubeproxy.netfilter.state import State, TraceContext


class Probability(msgspec.Struct, frozen=True):
    """Yes for a share of the packets. `share` is what was meant (1/3), `kernel` what the kernel holds (k / 2^31)."""

    share: Fraction
    kernel: Fraction


class Undecided(msgspec.Struct, frozen=True):
    """Yes or no, depending on something that a trace does not know.

    A `lasting` question has the same answer whenever it is asked about the same packet. `inverted`: the match succeeds
    if the answer is no.
    """

    question: Question
    lasting: bool = False
    inverted: bool = False


class StateChange(msgspec.Struct, frozen=True):
    """Yes or no, and something was written down on the way (`-m recent --set`)."""

    matched: bool
    state: State


MatchResult = bool | Probability | Undecided | StateChange
Matcher = Callable[[State, TraceContext], MatchResult]


def negated(matcher: Matcher, *, inverted: bool = True) -> Matcher:
    """The matcher for `! …`; the same matcher if not `inverted`."""
    if not inverted:
        return matcher

    def answer(state: State, context: TraceContext) -> MatchResult:
        match matcher(state, context):
            case bool(matched):
                return not matched
            case Probability(share, kernel):
                return Probability(1 - share, 1 - kernel)
            case Undecided(question, lasting, inverted):
                return Undecided(question, lasting, not inverted)
            case StateChange(matched, after):
                return StateChange(not matched, after)

    return answer


def always(_state: State, _context: TraceContext) -> MatchResult:
    """Matches every packet."""
    return True


def undecided(match: str, *, lasting: bool = False) -> Undecided:
    """The answer of a match, given in iptables' own words, that depends on something that is not known."""
    return Undecided(MatchHolds(match), lasting)


def undecided_matcher(match: str, *, lasting: bool = False) -> Matcher:
    """A match of which nothing is known but its words."""
    answer = undecided(match, lasting=lasting)
    return lambda _state, _context: answer


def equals(actual: int | None, wanted: int, match: str) -> MatchResult:
    """Whether a number is the wanted one; if it is not known, the `match` cannot be decided."""
    return undecided(match, lasting=True) if actual is None else actual == wanted
