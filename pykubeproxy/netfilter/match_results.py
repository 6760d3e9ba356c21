"""What a match says of a packet: yes, no, yes with a probability, or that it cannot be decided from what is known."""

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

import msgspec

from pykubeproxy.netfilter.questions import MatchHolds, Question
from pykubeproxy.netfilter.state import State, TraceContext

T = TypeVar("T")


class Probability(msgspec.Struct, frozen=True):
    """Yes for a share of the packets."""

    share: Fraction


class Undecided(msgspec.Struct, frozen=True):
    """Yes or no, depending on something that a trace does not know.

    A `lasting` question has the same answer whenever it is asked about the same packet. `inverted`: the match succeeds
    if the answer is no.
    """

    question: Question
    lasting: bool = False
    inverted: bool = False


class StateChange(msgspec.Struct, frozen=True):
    """Yes or no, and a changed state: `-m recent --set` puts the packet's source on a list."""

    matched: bool
    state: State


MatchResult = bool | Probability | Undecided | StateChange
Matcher = Callable[[State, TraceContext], MatchResult]


def negated(matcher: Matcher, *, inverted: bool = True) -> Matcher:
    """The matcher for `! …`; the matcher itself if not `inverted`."""
    if not inverted:
        return matcher

    def matches(state: State, context: TraceContext) -> MatchResult:
        match matcher(state, context):
            case bool(matched):
                return not matched
            case Probability(share):
                return Probability(1 - share)
            case Undecided(question, lasting, inverted):
                return Undecided(question, lasting, not inverted)
            case StateChange(matched, after):
                return StateChange(not matched, after)

    return matches


def always(_state: State, _context: TraceContext) -> MatchResult:
    """Matches every packet."""
    return True


def undecided(match: str, *, lasting: bool = False) -> Undecided:
    """The result of a match, given as iptables writes it, which depends on something that is not known."""
    return Undecided(MatchHolds(match), lasting)


def undecided_matcher(match: str, *, lasting: bool = False) -> Matcher:
    """A matcher that can never be decided, for a match given as iptables writes it."""
    result = undecided(match, lasting=lasting)
    return lambda _state, _context: result


def on_value(
    get: Callable[[State, TraceContext], T | None], holds: Callable[[T], bool], question: Undecided | str
) -> Matcher:
    """A matcher on one value of the packet: whether it `holds`, or the question if `get` does not know it (None).

    A question given as text is a match as iptables writes it, with a lasting answer.
    """
    unknown = undecided(question, lasting=True) if isinstance(question, str) else question

    def matches(state: State, context: TraceContext) -> MatchResult:
        value = get(state, context)
        return unknown if value is None else holds(value)

    return matches
