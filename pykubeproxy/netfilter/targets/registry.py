"""What each target does; one that is not known here lets the packet pass on one branch, and not on another."""

from collections.abc import Callable

from pykubeproxy.netfilter.effect import Action, Effect, RuleVerdict, Target
from pykubeproxy.netfilter.events import Counted, Event, NotTracked, Rejected, TargetApplied, TargetAssumed
from pykubeproxy.netfilter.packet import ConnectionState
from pykubeproxy.netfilter.questions import TargetLetsPass
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause
from pykubeproxy.netfilter.targets import marks, nat

# Targets that change nothing which rules can match.
_WITHOUT_EFFECT = frozenset(
    (
        *("ACCOUNT", "AUDIT", "CHECKSUM", "CLASSIFY", "CONNSECMARK", "DSCP", "ECN", "HL", "IDLETIMER", "LED", "LOG"),
        *("NFLOG", "RATEEST", "SECMARK", "SET", "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TRACE", "TTL", "ULOG"),
    ),
)


def target(clause: Clause | None) -> Target:
    """What the target of a rule does; None for a rule without a target, which only counts."""
    if clause is None:
        return _nothing(Counted())
    if clause.name in _WITHOUT_EFFECT:
        return _nothing(TargetApplied(clause.text))
    try:
        return _TARGETS.get(clause.name, _unknown)(clause)
    except ValueError:  # a value that makes no sense
        return _unknown(clause)


def is_passive(clause: Clause | None) -> bool:
    """True for a target that changes neither the packet nor its way."""
    return clause is None or clause.name in _WITHOUT_EFFECT


def _nothing(event: Event) -> Target:
    return lambda state, _context: (Effect(state=state, event=event, action=Action.NOTE),)


def _verdict(verdict: RuleVerdict, action: Action) -> Callable[[Clause], Target]:
    def made(clause: Clause) -> Target:
        event = Rejected(clause.value("--reject-with")) if verdict is RuleVerdict.REJECT else TargetApplied(clause.text)
        return lambda state, _context: (Effect(state=state, event=event, action=action, verdict=verdict),)

    return made


def _ct(clause: Clause) -> Target:
    """`-j CT`: only `--notrack` matters here, and only before conntrack has seen the packet."""
    untracks = clause.name == "NOTRACK" or clause.find("--notrack") is not None

    def apply(state: State, _context: TraceContext) -> tuple[Effect, ...]:
        if not untracks or state.tracking is not None:
            return (Effect(state=state, event=TargetApplied(clause.text), action=Action.NOTE),)
        after = state.but(tracking=ConnectionState.UNTRACKED)
        return (Effect(state=after, event=NotTracked(), action=Action.UNTRACK),)

    return apply


def _queue(clause: Clause) -> Target:
    """NFQUEUE: a program decides, and what it accepts has passed this table."""
    return _undecided(clause, RuleVerdict.ACCEPT)


def _unknown(clause: Clause) -> Target:
    return _undecided(clause, RuleVerdict.CONTINUE)


def _undecided(clause: Clause, passed: RuleVerdict) -> Target:
    """A target whose decision is not known; `passed` is the verdict if it lets the packet pass."""
    question = TargetLetsPass(clause.text)

    def apply(state: State, _context: TraceContext) -> tuple[Effect, ...]:
        return (
            Effect(
                state=state,
                event=TargetAssumed(clause.text, passes=True),
                action=Action.UNDECIDED,
                verdict=passed,
                assumption=question,
            ),
            Effect(
                state=state,
                event=TargetAssumed(clause.text, passes=False),
                action=Action.UNDECIDED,
                verdict=RuleVerdict.UNDECIDED,
                assumption=question,
                holds=False,
            ),
        )

    return apply


_TARGETS: dict[str, Callable[[Clause], Target]] = {
    "ACCEPT": _verdict(RuleVerdict.ACCEPT, Action.ACCEPT),
    "DROP": _verdict(RuleVerdict.DROP, Action.DROP),
    "REJECT": _verdict(RuleVerdict.REJECT, Action.REJECT),
    "RETURN": _verdict(RuleVerdict.RETURN, Action.RETURN),
    "MARK": marks.mark,
    "CONNMARK": marks.connmark,
    "DNAT": nat.dnat,
    "REDIRECT": nat.redirect,
    "SNAT": nat.snat,
    "MASQUERADE": nat.masquerade,
    "NETMAP": nat.netmap,
    "CT": _ct,
    "NOTRACK": _ct,
    "QUEUE": _queue,
    "NFQUEUE": _queue,
}
