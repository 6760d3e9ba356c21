"""The forms in which `trace` tells: a tree with bars for people, JSON for programs."""

from collections.abc import Iterator
from fractions import Fraction

import msgspec

from pykubeproxy.model.endpoint import host_port
from pykubeproxy.trace import Action, Node, Outcome, Packet, Step, Trace

_BAR = 24


def as_json(traced: Trace) -> str:
    """`{"packet": ..., "outcomes": [...]}`; probabilities as decimals, which add up to 1."""
    document = {
        "packet": _packet_fields(traced.packet),
        "outcomes": [_outcome_fields(outcome) for outcome in traced.outcomes],
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def as_text(traced: Trace) -> str:
    """The way of the packet as a tree, and how each branch ends."""
    return "\n".join([f"{_title(traced.packet)}", *_node(traced.tree, ""), "", *_endings(traced.outcomes)])


def _packet_fields(packet: Packet) -> dict[str, object]:
    return {
        "source": packet.source.text,
        "destination": packet.destination.text,
        "protocol": packet.protocol,
        "destinationPort": packet.destination_port,
        "fromNode": packet.from_node,
        "inInterface": packet.in_interface,
    }


def _outcome_fields(outcome: Outcome) -> dict[str, object]:
    fields: dict[str, object] = {
        "probability": float(outcome.probability),
        "share": str(outcome.probability),
        "verdict": outcome.verdict,
        "dnat": outcome.dnat,
        "masquerade": outcome.masquerade,
        "snat": outcome.snat,
        "reason": outcome.reason,
        "path": [_step_fields(step) for step in outcome.path],
    }
    if outcome.alternatives:
        fields["alternatives"] = [
            {
                "question": alternative.question,
                "holds": alternative.holds,
                "outcomes": [_outcome_fields(inner) for inner in alternative.outcomes],
            }
            for alternative in outcome.alternatives
        ]
    return fields


def _step_fields(step: Step) -> dict[str, object]:
    return {
        "hook": step.hook,
        "table": step.table,
        "chain": step.chain,
        "rule": step.rule,
        "action": step.action,
        "says": step.says,
        "probability": float(step.probability),
    }


def _title(packet: Packet) -> str:
    target = host_port(packet.destination.text, packet.destination_port or 0)
    client = f"the node ({packet.source.text})" if packet.from_node else packet.source.text
    where = f", arriving by {packet.in_interface}" if packet.in_interface else ""
    return f"{client} -> {target}/{packet.protocol}{where}"


def _node(node: Node, indent: str) -> Iterator[str]:
    """A stretch of the way, then its branches."""
    for step in node.steps:
        yield f"{indent}  {_step(step)}"
    for i, child in enumerate(node.children):
        is_last = i == len(node.children) - 1
        yield f"{indent}  {'└' if is_last else '├'}─ {_share(child.probability)}"
        yield from _node(child, f"{indent}  {' ' if is_last else '│'} ")


def _step(step: Step) -> str:
    place = " ".join(part for part in (step.hook, step.table, step.chain) if part)
    comment = f"  ({step.comment})" if step.comment else ""
    mark = "?" if step.action is Action.UNDECIDED else " "
    return f"{mark} {place}: {step.says}{comment}"


def _endings(outcomes: tuple[Outcome, ...]) -> Iterator[str]:
    for outcome in outcomes:
        masquerade = ", source masqueraded" if outcome.masquerade else ""
        yield f"{_share(outcome.probability)}  {outcome.verdict}  {outcome.reason}{masquerade}"
        for alternative in outcome.alternatives:
            answer = "if" if alternative.holds else "unless"
            for inner in alternative.outcomes:
                yield f"    {answer} {alternative.question}: {inner.verdict}  {inner.reason}"


def _share(probability: Fraction) -> str:
    """A probability as a bar and as a number: `██████      25.0% (1/4)`."""
    full = round(float(probability) * _BAR)
    exact = f" ({probability})" if probability not in (0, 1) else ""
    return f"{'█' * full:<{_BAR}} {float(probability):>6.1%}{exact}"
