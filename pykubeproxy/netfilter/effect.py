"""What a rule does to the packets that it matches."""

from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.events import Event
from pykubeproxy.netfilter.questions import Question
from pykubeproxy.netfilter.state import State, TraceContext


class RuleVerdict(StrEnum):
    """Where a packet goes on after a rule: with the next rule, back to the calling chain, or nowhere in this table."""

    CONTINUE = "continue"
    RETURN = "return"
    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    UNDECIDED = "undecided"


class Action(StrEnum):
    """The kinds of steps on a packet's way, for those who draw it."""

    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    MARK = "mark"
    DNAT = "dnat"
    SNAT = "snat"
    MASQUERADE = "masquerade"
    UNTRACK = "untrack"
    NOTE = "note"
    POLICY = "policy"
    ROUTE = "route"
    UNDECIDED = "undecided"


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a target may do: the packet afterwards, where it goes on, and what happened to it.

    `share` is its share of the packets, where a target chooses among several. With an `assumption`, the effect is what
    happens if the answer to that undecidable question is `holds`.
    """

    state: State
    event: Event
    action: Action
    verdict: RuleVerdict = RuleVerdict.CONTINUE
    share: Fraction = Fraction(1)
    assumption: Question | None = None
    holds: bool = True


Target = Callable[[State, TraceContext], tuple[Effect, ...]]
