"""A Trace with its reasons put into more words, by somebody who knows more than the rules do."""

from collections.abc import Callable, Sequence

import msgspec

from pykubeproxy.explain.diagnosis import Knowledge
from pykubeproxy.explain.naming import services_at
from pykubeproxy.explain.reasons import DELIVERED
from pykubeproxy.explain.story import service_of
from pykubeproxy.model.endpoint import host_port
from pykubeproxy.netfilter.outcome import Alternative, Ending, Outcome, Verdict, decided
from pykubeproxy.netfilter.packet import Packet
from pykubeproxy.netfilter.tree import Node
from pykubeproxy.netfilter.walk import Trace
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Ruleset

Reworded = Callable[[Ending], str]


def retold(traced: Trace, ruleset: Ruleset, knowledge: Knowledge | None) -> Trace:
    """The same Trace, its reasons completed by what rules for other ports, and objects, say. `knowledge` may be None.

    A refusal says what has become of the endpoints; a packet that no rule redirects, what there is at its address.
    """
    outcomes = tuple(decided(traced.outcomes))
    missed = _missed(traced.packet, outcomes, ruleset, knowledge)
    title = service_of(step for outcome in outcomes for step in outcome.path)

    def reworded(ending: Ending) -> str:
        if ending.verdict is Verdict.ACCEPT and ending.dnat is None and missed:
            return f"{ending.reason}: {missed}"
        if knowledge is None:
            return ending.reason
        if ending.verdict in (Verdict.DROP, Verdict.REJECT):
            return knowledge.elaborate(ending.reason)
        stale = knowledge.why_stale(title, ending.dnat) if ending.dnat and title else ""
        return f"{ending.reason}; {stale}" if stale else ending.reason

    return msgspec.structs.replace(
        traced,
        outcomes=tuple(_outcome(outcome, reworded) for outcome in traced.outcomes),
        tree=_node(traced.tree, reworded),
    )


def _missed(packet: Packet, outcomes: Sequence[Outcome], ruleset: Ruleset, knowledge: Knowledge | None) -> str:
    """What is at the address of a packet that no rule redirects; empty if some rule does, or nothing is known there."""
    if all(outcome.dnat is not None or outcome.verdict is not Verdict.ACCEPT for outcome in outcomes):
        return ""
    address, port = packet.destination.text, packet.destination_port
    at = services_at(ruleset, address)
    if at and not any((each.protocol, each.port) == (packet.protocol, port) for each in at):
        listens = ", ".join(f"{each.port}/{each.protocol} ({each.title})" for each in at)
        return f"{address} has only {listens}"
    knows_node_ports = ruleset.lines("nat", names.NODE_PORTS) is not None
    if not at and knows_node_ports and any(outcome.reason.startswith(DELIVERED) for outcome in outcomes):
        return f"no Service has node port {port}/{packet.protocol}"
    return "" if at or knowledge is None else _in_objects(packet, knowledge)


def _in_objects(packet: Packet, knowledge: Knowledge) -> str:
    """The Service whose address it is, according to the objects, though no rule is for it."""
    address = packet.destination.text
    service = knowledge.service_at(address)
    return f"{address} belongs to {service.key}; {knowledge.why_absent(str(service.key))}" if service else ""


def _outcome(outcome: Outcome, reworded: Reworded) -> Outcome:
    ending = Ending(verdict=outcome.verdict, dnat=outcome.dnat, reason=outcome.reason)
    alternatives = tuple(
        Alternative(
            question=each.question,
            holds=each.holds,
            outcomes=tuple(_outcome(inner, reworded) for inner in each.outcomes),
        )
        for each in outcome.alternatives
    )
    return msgspec.structs.replace(outcome, reason=reworded(ending), alternatives=alternatives)


def _node(node: Node, reworded: Reworded) -> Node:
    ending = node.ending
    if ending is not None:
        ending = msgspec.structs.replace(ending, reason=reworded(ending))
    children = tuple(_node(child, reworded) for child in node.children)
    return msgspec.structs.replace(node, ending=ending, children=children)


def target_text(packet: Packet) -> str:
    """Where a packet is sent, as `10.96.0.10:80/tcp`."""
    address = packet.destination.text
    port = packet.destination_port
    return f"{address if port is None else host_port(address, port)}/{packet.protocol}"


def client_text(packet: Packet) -> str:
    """Who sends a packet, and by which interface it arrives."""
    client = f"the node ({packet.source.text})" if packet.from_node else packet.source.text
    return f"{client}, by {packet.in_interface}" if packet.in_interface else client
