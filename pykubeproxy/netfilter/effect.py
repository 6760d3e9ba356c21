"""What a rule does to the packets that it matches."""

from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction

import msgspec

from pykubeproxy.netfilter.events import Event
from pykubeproxy.netfilter.questions import Question
from pykubeproxy.netfilter.state import State, TraceContext


class RuleVerdict(StrEnum):
    """Where a packet goes on after a rule: with the next rule, in the calling chain, or nowhere in this table.

    The names are those of nft(8). UNDECIDED: nothing can be said about where it goes on.
    """

    CONTINUE = "continue"
    RETURN = "return"
    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    UNDECIDED = "undecided"


class Action(StrEnum):
    """The kind of a step, for those who show it."""

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
    """One of the things that a target may do: the packet afterwards, the verdict, and the event for the trace.

    `share` is the share of the packets, where a target chooses among several addresses. With an `assumption`, this is
    what happens if the answer to that question, which cannot be decided, is `holds`.
    """

    state: State
    event: Event
    action: Action
    verdict: RuleVerdict = RuleVerdict.CONTINUE
    share: Fraction = Fraction(1)
    assumption: Question | None = None
    holds: bool = True


Target = Callable[[State, TraceContext], tuple[Effect, ...]]
"""What a target does to a packet; the shares of all its effects add up to 1, for each answer to an assumption."""
