"""A Trace with its causes completed by what objects, and rules for other ports, add to them; and who asks whom."""

from collections.abc import Callable, Sequence

import msgspec

from pykubeproxy.explain.condensed import service_of
from pykubeproxy.explain.diagnosis import Knowledge
from pykubeproxy.explain.findings import AddressOf, Finding, HasOtherPorts, NoSuchNodePort, PortAt
from pykubeproxy.explain.naming import services_at
from pykubeproxy.explain.reasons import understood
from pykubeproxy.explain.service_causes import ArrivesWithFinding
from pykubeproxy.model.endpoint import host_port
from pykubeproxy.netfilter.causes import Arrives, Cause
from pykubeproxy.netfilter.events import Delivered
from pykubeproxy.netfilter.outcome import Alternative, BranchResult, Outcome, Verdict, decided
from pykubeproxy.netfilter.packet import Packet
from pykubeproxy.netfilter.tree import TraceNode
from pykubeproxy.netfilter.walk import Trace
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Ruleset

Understood = Callable[[BranchResult | Outcome], Cause]


def retold(traced: Trace, ruleset: Ruleset, knowledge: Knowledge | None) -> Trace:
    """A Trace with causes that tell of Services, completed by what rules for other ports, and objects, say.

    `knowledge` is None where there are no objects.

    A refusal says what has become of the endpoints; a packet that no rule redirects, what there is at its address.
    """
    outcomes = tuple(decided(traced.outcomes))
    missed = _missed(traced.packet, outcomes, ruleset, knowledge)
    title = service_of(step for outcome in outcomes for step in outcome.path)

    def understand(result: BranchResult | Outcome) -> Cause:
        cause = understood(result.cause)
        if not isinstance(cause, Arrives):
            return cause if knowledge is None else knowledge.elaborate(cause)
        if result.dnat is None:
            return ArrivesWithFinding(cause.event, missed) if missed else cause
        stale = knowledge.why_stale(title, result.dnat) if knowledge is not None and title else None
        return cause if stale is None else ArrivesWithFinding(cause.event, stale)

    return msgspec.structs.replace(
        traced,
        outcomes=tuple(_outcome(outcome, understand) for outcome in traced.outcomes),
        tree=_node(traced.tree, understand),
    )


def _missed(
    packet: Packet, outcomes: Sequence[Outcome], ruleset: Ruleset, knowledge: Knowledge | None
) -> Finding | None:
    """What is at the address of a packet that no rule redirects; None if some rule does, or nothing is known there."""
    if all(outcome.dnat is not None or outcome.verdict is not Verdict.ACCEPT for outcome in outcomes):
        return None
    address, port = packet.destination.text, packet.destination_port
    at = services_at(ruleset, address)
    if at and not any((each.protocol, each.port) == (packet.protocol, port) for each in at):
        return HasOtherPorts(address, tuple(PortAt(each.port, each.protocol, each.title) for each in at))
    knows_node_ports = ruleset.lines("nat", names.NODE_PORTS) is not None
    if not at and knows_node_ports and any(map(_is_delivered, outcomes)):
        return NoSuchNodePort(port, packet.protocol)
    return None if at or knowledge is None else _in_objects(packet, knowledge)


def _is_delivered(outcome: Outcome) -> bool:
    return isinstance(outcome.cause, Arrives) and isinstance(outcome.cause.event, Delivered)


def _in_objects(packet: Packet, knowledge: Knowledge) -> Finding | None:
    """The Service whose address it is, according to the objects, though no rule is for it."""
    address = packet.destination.text
    service = knowledge.service_at(address)
    absence = knowledge.why_absent(str(service.key)) if service is not None else None
    return AddressOf(address, absence.service, absence) if absence is not None else None


def _outcome(outcome: Outcome, understand: Understood) -> Outcome:
    alternatives = tuple(
        Alternative(
            question=each.question,
            holds=each.holds,
            outcomes=tuple(_outcome(inner, understand) for inner in each.outcomes),
        )
        for each in outcome.alternatives
    )
    return msgspec.structs.replace(outcome, cause=understand(outcome), alternatives=alternatives)


def _node(node: TraceNode, understand: Understood) -> TraceNode:
    result = node.result
    if result is not None:
        result = msgspec.structs.replace(result, cause=understand(result))
    children = tuple(_node(child, understand) for child in node.children)
    return msgspec.structs.replace(node, result=result, children=children)


def target_text(packet: Packet) -> str:
    """Where a packet is sent, as `10.96.0.10:80/tcp`."""
    address = packet.destination.text
    port = packet.destination_port
    return f"{address if port is None else host_port(address, port)}/{packet.protocol}"


def client_text(packet: Packet) -> str:
    """Who sends a packet, and by which interface it arrives."""
    client = f"the node ({packet.source.text})" if packet.from_node else packet.source.text
    return f"{client}, by {packet.in_interface}" if packet.in_interface else client
