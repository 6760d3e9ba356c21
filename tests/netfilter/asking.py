"""Short ways to ask one match, or a whole Ruleset, about a packet."""

from fractions import Fraction
from typing import Any

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.event_words import question_text
from pykubeproxy.explain.service_causes import service_cause
from pykubeproxy.netfilter import ConnectionState, Environment, Outcome, Packet, Trace, local_address, trace
from pykubeproxy.netfilter.rule import make_rule, match_rule
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.rules.parse import parse
from tests.builders import ip

NODE = Environment(
    addresses=(
        local_address("10.0.0.1/24", "eth0"),
        local_address("10.244.0.1/24", "cni0"),
        local_address("fd00::1/64", "eth0"),
        local_address("127.0.0.1/8", "lo"),
        local_address("::1", "lo"),
    )
)

_DEFAULTS: dict[str, dict[str, Any]] = {
    "4": {"source": "10.244.0.9", "destination": "10.96.0.1"},
    "6": {"source": "fd00:244::9", "destination": "fd00:96::1"},
}


def packet(family: str = "4", **fields: Any) -> Packet:
    """A TCP packet to port 80 from a pod, unless said otherwise; addresses are given as text."""
    values: dict[str, Any] = {**_DEFAULTS[family], "destination_port": 80, **fields}
    return Packet(**{**values, "source": ip(values["source"]), "destination": ip(values["destination"])})


def meet(
    match: str,
    family: str = "4",
    *,
    state: dict[str, Any] | None = None,
    environment: Environment = NODE,
    **fields: Any,
) -> bool | Fraction | str:
    """What a match says of a packet in PREROUTING: yes, no, its chance, or the question that it cannot decide."""
    asked = packet(family, **fields)
    context = TraceContext(asked, environment)
    rule_match = match_rule(make_rule(f"-A X {match} -j ACCEPT"), _state(context, state), context)
    if rule_match is None or not rule_match.share:
        return False
    if rule_match.questions:
        return " and ".join(
            f"{'not ' if each.inverted else ''}{question_text(each.question)}" for each in rule_match.questions
        )
    return rule_match.share if rule_match.share != 1 else True


def _state(context: TraceContext, changes: dict[str, Any] | None) -> State:
    start = context.start(frozenset()).but(tracking=context.packet.ctstate)
    changes = dict(changes or {})
    for name in ("source", "destination"):
        if isinstance(changes.get(name), str):
            changes[name] = ip(changes[name]).number
    return start.but(**changes)


def document(**tables: str) -> str:
    """An iptables-save dump of these tables; chains that are not declared in the text are added."""
    return "".join(_table(name, text) for name, text in tables.items())


def _table(name: str, text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    declared = [line for line in lines if line.startswith(":")]
    rules = [line if line.startswith("-A") else f"-A {line}" for line in lines if line and not line.startswith(":")]
    known = {line[1:].split()[0] for line in declared}
    for rule in rules:
        chain = rule.split()[1]
        if chain not in known:
            known.add(chain)
            declared.append(f":{chain} {'ACCEPT' if chain.isupper() and '-' not in chain else '-'} [0:0]")
    return "\n".join([f"*{name}", *declared, *rules, "COMMIT", ""])


def follow(environment: Environment = NODE, family: str = "4", *, dump: dict[str, str], **fields: Any) -> Trace:
    """The trace of a packet through a dump, given table by table."""
    return trace(parse(document(**dump).splitlines()), packet(family, **fields), environment)


def only(found: Trace) -> Outcome:
    """The outcome of a trace that must have just one."""
    assert len(found.outcomes) == 1, found.outcomes
    outcome = found.outcomes[0]
    assert outcome.probability == 1
    return outcome


def reason_of(outcome: Outcome) -> str:
    """Why a packet ends there, in words."""
    return cause_text(service_cause(outcome.cause))


NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED = ConnectionState
