"""`trace` for programs."""

import msgspec

from pykubeproxy.trace import Outcome, Packet, Step, Trace


def as_json(traced: Trace) -> str:
    """`{"packet": ..., "outcomes": [...]}`; probabilities as decimals, which add up to 1.

    `snat` and `alternatives` (of an outcome that cannot be decided) are there only where there are any; so is
    `affinity`, the endpoints to which a client may be bound that was here before.
    """
    document: dict[str, object] = {
        "packet": _packet_fields(traced.packet),
        "outcomes": [_outcome_fields(outcome) for outcome in traced.outcomes],
    }
    if traced.affinity:
        document["affinity"] = traced.affinity
    return msgspec.json.format(msgspec.json.encode(document)).decode()


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
        "verdict": outcome.verdict,
        "dnat": outcome.dnat,
        "masquerade": outcome.masquerade,
        "reason": outcome.reason,
        "path": [_step_fields(step) for step in outcome.path],
    }
    if outcome.snat is not None:
        fields["snat"] = outcome.snat
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
