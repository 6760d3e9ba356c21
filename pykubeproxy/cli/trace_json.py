"""`trace` for programs."""

from collections.abc import Mapping, Sequence

import msgspec

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.cluster_view import AddressHolder, address_of
from pykubeproxy.explain.event_words import question_text
from pykubeproxy.explain.words import step_text
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.netfilter import Outcome, Packet, Step, Trace, Verdict
from pykubeproxy.netfilter.unseen import could_change

VERSION = 1
"""The version of the document, as docs/trace-json.md describes it."""


def as_json(
    traced: Trace, not_looked_at: Sequence[NftTable] = (), holders: Mapping[str, AddressHolder] | None = None
) -> str:
    """`{"version": 1, "packet": ..., "outcomes": [...]}`; probabilities as decimals, which add up to 1.

    `snat` and `alternatives` (of an outcome that cannot be decided) are there only where there are any; so is
    `affinity`, the endpoints to which a client may be bound that was here before, and `notLookedAt`, the tables of
    nftables that hold rules which were not walked through. Of an outcome, that are those that could change it. `client`
    and an outcome's `endpoint` are the pod and the node there, if `holders` has them.
    """
    known = holders or {}
    fields = _OutcomeFields(traced.packet, not_looked_at, known)
    document: dict[str, object] = {
        "version": VERSION,
        "packet": _packet_fields(traced.packet),
        "outcomes": [fields.of(outcome) for outcome in traced.outcomes],
    }
    if client := known.get(traced.packet.source.text):
        document["client"] = client
    if traced.affinity:
        document["affinity"] = traced.affinity
    if not_looked_at:
        document["notLookedAt"] = not_looked_at
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


class _OutcomeFields:
    """Outcomes as fields, with the tables that could change them."""

    def __init__(self, packet: Packet, not_looked_at: Sequence[NftTable], holders: Mapping[str, AddressHolder]) -> None:
        self._holders = holders
        self._packet = packet
        self._not_looked_at = not_looked_at

    def of(self, outcome: Outcome) -> dict[str, object]:
        fields: dict[str, object] = {
            "probability": float(outcome.probability),
            "verdict": outcome.verdict,
            "lost": outcome.verdict is Verdict.LOST,
            "dnat": outcome.dnat,
            "masquerade": outcome.masquerade,
            "cause": outcome.cause,
            "says": cause_text(outcome.cause),
            "path": [_step_fields(step) for step in outcome.path],
        }
        if endpoint := self._holders.get(address_of(outcome, self._packet)):
            fields["endpoint"] = endpoint
        if outcome.snat is not None:
            fields["snat"] = outcome.snat
        if tables := could_change(outcome, self._packet, self._not_looked_at):
            fields["notLookedAt"] = tables
        if outcome.alternatives:
            fields["alternatives"] = [
                {
                    "question": alternative.question,
                    "says": question_text(alternative.question),
                    "holds": alternative.holds,
                    "outcomes": [self.of(inner) for inner in alternative.outcomes],
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
        "event": step.event,
        "says": step_text(step),
        "probability": float(step.probability),
    }
