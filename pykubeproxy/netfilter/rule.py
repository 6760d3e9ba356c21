"""A rule made ready to meet packets. Rules are made ready when a packet first meets them, and kept by their text."""

from fractions import Fraction
from functools import lru_cache

import msgspec

from pykubeproxy.model.printable import printable
from pykubeproxy.netfilter.effect import Target
from pykubeproxy.netfilter.match_results import Matcher, Probability, StateChange, Undecided
from pykubeproxy.netfilter.matches.registry import matchers
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import parse_rule
from pykubeproxy.netfilter.targets.registry import is_passive, target


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: its text, its questions in order, and what it does. `target_name` is "" for a rule that only counts.

    `is_passive`: it does nothing to the packet. `is_goto`: its target is a chain that does not come back here.
    """

    text: str
    comment: str
    matchers: tuple[Matcher, ...]
    target: Target
    target_name: str
    is_passive: bool
    is_goto: bool


class RuleMatch(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule thinks of a packet: for which share of them it matches, and which questions it could not decide.

    The share is of those packets for which all questions would be answered so that the rule matches.
    """

    state: State
    share: Fraction
    questions: tuple[Undecided, ...] = ()


@lru_cache(maxsize=1 << 16)
def make_rule(line: str) -> Rule:
    """A line of a Ruleset (`-A CHAIN …`), made ready; what is shown of it has no control characters."""
    line = printable(line)
    parsed = parse_rule(line)
    return Rule(
        text=line,
        comment=parsed.comment,
        matchers=tuple(matcher for clause in parsed.matches for matcher in matchers(clause)),
        target=target(parsed.target),
        target_name=parsed.target.name if parsed.target else "",
        is_passive=is_passive(parsed.target),
        is_goto=parsed.goto,
    )


_NEVER, _ALWAYS = Fraction(0), Fraction(1)


def match_rule(rule: Rule, state: State, context: TraceContext) -> RuleMatch | None:
    """Asks a rule about a packet; None if it does not match, and nothing has changed.

    As soon as one match says no, the others are not asked. What `-m recent` wrote down before is kept even then; if
    an undecided question or a chance came before it, only in the case that the whole rule matches.
    """
    before = state
    share = _ALWAYS
    questions: list[Undecided] = []
    for matcher in rule.matchers:
        answer = matcher(state, context)
        if answer is True:
            continue
        if isinstance(answer, StateChange):
            state = answer.state
            answer = answer.matched
        if answer is False:
            is_noted = state is not before and share == 1 and not questions
            return RuleMatch(state=state, share=_NEVER) if is_noted else None
        if isinstance(answer, Probability):
            share *= answer.share
        elif isinstance(answer, Undecided):
            questions.append(answer)
    return RuleMatch(state=state, share=share, questions=tuple(questions))
