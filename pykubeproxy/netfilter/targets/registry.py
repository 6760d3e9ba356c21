"""From the target of a rule to what it does; what nobody knows becomes a fork."""

from collections.abc import Callable

from pykubeproxy.netfilter.effect import Action, Disposition, Effect, Target
from pykubeproxy.netfilter.events import Counted, Event, NotTracked, Rejected, TargetDecided, TargetMet
from pykubeproxy.netfilter.packet import ConnectionState
from pykubeproxy.netfilter.questions import TargetLetsPass
from pykubeproxy.netfilter.state import Scene, State
from pykubeproxy.netfilter.syntax import Clause
from pykubeproxy.netfilter.targets import marks, nat

# Targets after which the packet goes on as it was, as far as rules can tell.
_WITHOUT_EFFECT = frozenset(
    (
        *("ACCOUNT", "AUDIT", "CHECKSUM", "CLASSIFY", "CONNSECMARK", "DSCP", "ECN", "HL", "IDLETIMER", "LED", "LOG"),
        *("NFLOG", "RATEEST", "SECMARK", "SET", "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TRACE", "TTL", "ULOG"),
    ),
)


def target(clause: Clause | None) -> Target:
    """What the target of a rule does; None is a rule that only counts."""
    if clause is None:
        return _nothing(Counted())
    if clause.name in _WITHOUT_EFFECT:
        return _nothing(TargetMet(clause.text))
    try:
        return _TARGETS.get(clause.name, _unknown)(clause)
    except ValueError:  # a value that makes no sense
        return _unknown(clause)


def is_passive(clause: Clause | None) -> bool:
    """True for a target that leaves the packet, and its way, as they were."""
    return clause is None or clause.name in _WITHOUT_EFFECT


def _nothing(event: Event) -> Target:
    return lambda state, _scene: (Effect(state=state, event=event, action=Action.NOTE),)


def _verdict(disposition: Disposition, action: Action) -> Callable[[Clause], Target]:
    def made(clause: Clause) -> Target:
        event = Rejected(clause.value("--reject-with")) if disposition is Disposition.REJECT else TargetMet(clause.text)
        return lambda state, _scene: (Effect(state=state, event=event, action=action, disposition=disposition),)

    return made


def _ct(clause: Clause) -> Target:
    """`-j CT`: only `--notrack` matters here, and only before conntrack has seen the packet."""
    untracks = clause.name == "NOTRACK" or clause.find("--notrack") is not None

    def apply(state: State, _scene: Scene) -> tuple[Effect, ...]:
        if not untracks or state.tracking is not None:
            return (Effect(state=state, event=TargetMet(clause.text), action=Action.NOTE),)
        after = state.but(tracking=ConnectionState.UNTRACKED)
        return (Effect(state=after, event=NotTracked(), action=Action.UNTRACK),)

    return apply


def _queue(clause: Clause) -> Target:
    """NFQUEUE: a program decides, and what it accepts has passed this table."""
    return _fork(clause, Disposition.ACCEPT)


def _unknown(clause: Clause) -> Target:
    return _fork(clause, Disposition.CONTINUE)


def _fork(clause: Clause, passed: Disposition) -> Target:
    question = TargetLetsPass(clause.text)

    def apply(state: State, _scene: Scene) -> tuple[Effect, ...]:
        return (
            Effect(
                state=state,
                event=TargetDecided(clause.text, passes=True),
                action=Action.UNDECIDED,
                disposition=passed,
                assumption=question,
            ),
            Effect(
                state=state,
                event=TargetDecided(clause.text, passes=False),
                action=Action.UNDECIDED,
                disposition=Disposition.UNDECIDED,
                assumption=question,
                holds=False,
            ),
        )

    return apply


_TARGETS: dict[str, Callable[[Clause], Target]] = {
    "ACCEPT": _verdict(Disposition.ACCEPT, Action.ACCEPT),
    "DROP": _verdict(Disposition.DROP, Action.DROP),
    "REJECT": _verdict(Disposition.REJECT, Action.REJECT),
    "RETURN": _verdict(Disposition.RETURN, Action.RETURN),
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
