"""A Trace whose causes speak of Services, and say what objects and rules for other ports add to them."""

from collections.abc import Callable, Sequence

import msgspec

from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.condensed import service_of
from pykubeproxy.explain.findings import AddressOf, Finding, HasOtherPorts, NoSuchNodePort, PortAt
from pykubeproxy.explain.service_causes import ArrivesWithFinding, service_cause
from pykubeproxy.explain.service_lookup import services_at
from pykubeproxy.netfilter.causes import Arrives, Cause
from pykubeproxy.netfilter.events import Delivered
from pykubeproxy.netfilter.outcome import Alternative, BranchResult, Outcome, Verdict, decided
from pykubeproxy.netfilter.packet import Packet
from pykubeproxy.netfilter.tree import TraceNode
from pykubeproxy.netfilter.walk import Trace
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import Ruleset

CauseOf = Callable[[BranchResult | Outcome], Cause]


def with_service_causes(traced: Trace, ruleset: Ruleset, cluster: ClusterView | None) -> Trace:
    """A Trace through `ruleset` with the causes of all outcomes and branches explained; otherwise unchanged.

    A refusal says why a Service has no endpoints. A packet that no rule redirects says what its destination is, and a
    packet that is redirected to an endpoint which objects do not list says so. `cluster` is None without objects.
    """
    outcomes = tuple(decided(traced.outcomes))
    not_redirected = _not_redirected(traced.packet, outcomes, ruleset, cluster)
    title = service_of(step for outcome in outcomes for step in outcome.path)

    def cause_of(result: BranchResult | Outcome) -> Cause:
        cause = service_cause(result.cause)
        if not isinstance(cause, Arrives):
            return cause if cluster is None else cluster.with_finding(cause)
        if result.dnat is None:
            return ArrivesWithFinding(cause.event, not_redirected) if not_redirected else cause
        stale = cluster.why_stale(title, result.dnat) if cluster is not None and title else None
        return cause if stale is None else ArrivesWithFinding(cause.event, stale)

    return msgspec.structs.replace(
        traced,
        outcomes=tuple(_outcome(outcome, cause_of) for outcome in traced.outcomes),
        tree=_node(traced.tree, cause_of),
    )


def _not_redirected(
    packet: Packet, outcomes: Sequence[Outcome], ruleset: Ruleset, cluster: ClusterView | None
) -> Finding | None:
    """What is wrong with the destination of a packet that no rule redirects.

    None if rules redirect it in all outcomes where it gets through, or if nothing is known to be wrong.
    """
    if all(outcome.dnat is not None or outcome.verdict is not Verdict.ACCEPT for outcome in outcomes):
        return None
    address, port = packet.destination.text, packet.destination_port
    at = services_at(ruleset, address)
    if at and not any((each.protocol, each.port) == (packet.protocol, port) for each in at):
        return HasOtherPorts(address, tuple(PortAt(each.port, each.protocol, each.title) for each in at))
    has_node_ports = ruleset.lines("nat", names.NODE_PORTS) is not None
    if not at and has_node_ports and any(map(_is_delivered, outcomes)):
        return NoSuchNodePort(port, packet.protocol)
    return None if at or cluster is None else _in_objects(packet, cluster)


def _is_delivered(outcome: Outcome) -> bool:
    return isinstance(outcome.cause, Arrives) and isinstance(outcome.cause.event, Delivered)


def _in_objects(packet: Packet, cluster: ClusterView) -> Finding | None:
    """The Service that has the packet's destination according to the objects, although no rule is for it."""
    address = packet.destination.text
    service = cluster.service_at(address)
    absence = cluster.why_absent(str(service.key)) if service is not None else None
    return AddressOf(address, absence.service, absence) if absence is not None else None


def _outcome(outcome: Outcome, cause_of: CauseOf) -> Outcome:
    alternatives = tuple(
        Alternative(
            question=each.question,
            holds=each.holds,
            outcomes=tuple(_outcome(inner, cause_of) for inner in each.outcomes),
        )
        for each in outcome.alternatives
    )
    return msgspec.structs.replace(outcome, cause=cause_of(outcome), alternatives=alternatives)


def _node(node: TraceNode, cause_of: CauseOf) -> TraceNode:
    result = node.result
    if result is not None:
        result = msgspec.structs.replace(result, cause=cause_of(result))
    children = tuple(_node(child, cause_of) for child in node.children)
    return msgspec.structs.replace(node, result=result, children=children)
