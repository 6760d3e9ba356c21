"""A Trace with its reasons put into more words, by somebody who knows more than the rules do."""

from collections.abc import Callable

import msgspec

from pykubeproxy.model.endpoint import host_port
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.trace.diagnosis import Knowledge
from pykubeproxy.trace.effect import Action
from pykubeproxy.trace.naming import services_at
from pykubeproxy.trace.outcome import Alternative, Ending, Outcome, Verdict
from pykubeproxy.trace.packet import Packet
from pykubeproxy.trace.path import Step
from pykubeproxy.trace.tree import Node
from pykubeproxy.trace.walk import Trace

Reworded = Callable[[Ending], str]


def retold(traced: Trace, ruleset: Ruleset, knowledge: Knowledge | None) -> Trace:
    """The same Trace, its reasons completed by what rules for other ports, and objects, say. `knowledge` may be None.

    A refusal says what has become of the endpoints; a packet that no rule redirects, what there is at its address.
    """
    missed = _missed(traced, ruleset, knowledge)

    def reworded(ending: Ending) -> str:
        if ending.verdict is Verdict.ACCEPT and ending.dnat is None and missed:
            return f"{ending.reason}: {missed}"
        if ending.verdict in (Verdict.DROP, Verdict.REJECT) and knowledge is not None:
            return knowledge.elaborate(ending.reason)
        return ending.reason

    return msgspec.structs.replace(
        traced,
        outcomes=tuple(_outcome(outcome, reworded) for outcome in traced.outcomes),
        tree=_node(traced.tree, reworded),
    )


def _missed(traced: Trace, ruleset: Ruleset, knowledge: Knowledge | None) -> str:
    """What is at the address of a packet that no rule redirects; empty if some rule does, or nothing is known there."""
    if all(outcome.dnat is not None or outcome.verdict is not Verdict.ACCEPT for outcome in traced.outcomes):
        return ""
    packet = traced.packet
    address, port = packet.destination.text, packet.destination_port
    at = services_at(ruleset, address)
    if at and not any((each.protocol, each.port) == (packet.protocol, port) for each in at):
        listens = ", ".join(f"{each.port}/{each.protocol} ({each.title})" for each in at)
        return f"{address} has only {listens}"
    if not at and any(_is_node_port_jump(step) for outcome in traced.outcomes for step in outcome.path):
        return f"no Service has node port {port}/{packet.protocol}"
    return "" if at or knowledge is None else _in_objects(packet, knowledge)


def _in_objects(packet: Packet, knowledge: Knowledge) -> str:
    """The Service whose cluster IP it is, according to the objects, though no rule is for it."""
    address = packet.destination.text
    for key, service in sorted(knowledge.snapshot.services.items()):
        if address in (service.cluster_ip, *service.cluster_ips, *(ip.text for ip in service.load_balancer_ips)):
            return f"{address} belongs to {key}; {knowledge.why_absent(str(key))}"
    return ""


def _is_node_port_jump(step: Step) -> bool:
    return step.action is Action.JUMP and step.table == "nat" and step.says.endswith(names.NODE_PORTS)


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
