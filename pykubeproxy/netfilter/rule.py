"""Rules prepared for packets: parsed when the first packet meets them, and kept by their text."""

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
    """A rule: its text, its matches in order, and its target. `target_name` is "" for a rule without a target.

    `is_passive`: its target changes nothing that a trace follows. `is_goto`: it leads to a chain by `-g`, not by `-j`.
    """

    text: str
    comment: str
    matchers: tuple[Matcher, ...]
    target: Target
    target_name: str
    is_passive: bool
    is_goto: bool


class RuleMatch(msgspec.Struct, frozen=True, kw_only=True):
    """For which share of the packets a rule matches, and the questions that could not be decided.

    The share is that of the packets for which all `questions` have the answer with which the rule matches. `state` is
    the packet after the matches, which may have changed a list of `-m recent`.
    """

    state: State
    share: Fraction
    questions: tuple[Undecided, ...] = ()


@lru_cache(maxsize=1 << 16)
def make_rule(line: str) -> Rule:
    """Prepare a line of a Ruleset (`-A CHAIN …`). Control characters are replaced in what is kept of its text."""
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
    """Ask the matches of a rule about a packet; None if the rule does not match, and no list has changed.

    As in the kernel, no further match is asked once one has failed. A change by `-m recent` stays even if a later match
    fails. If a probability or an undecided question came before it, the change is kept only where the rule matches.
    """
    before = state
    share = _ALWAYS
    questions: list[Undecided] = []
    for matcher in rule.matchers:
        result = matcher(state, context)
        if result is True:
            continue
        if isinstance(result, StateChange):
            state = result.state
            result = result.matched
        if result is False:
            is_changed = state is not before and share == 1 and not questions
            return RuleMatch(state=state, share=_NEVER) if is_changed else None
        if isinstance(result, Probability):
            share *= result.share
        elif isinstance(result, Undecided):
            questions.append(result)
    return RuleMatch(state=state, share=share, questions=tuple(questions))
