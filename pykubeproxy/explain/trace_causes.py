"""A Trace whose causes speak of Services, and say what objects and rules for other ports add to them."""

from collections.abc import Callable, Container, Sequence
from typing import TypeVar

import msgspec

from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.condensed import service_of
from pykubeproxy.explain.service_causes import (
    ArrivesWithFinding,
    Lost,
    PortUnused,
    ServiceUnreachable,
    service_cause,
)
from pykubeproxy.explain.unserved_destination import UnservedDestination
from pykubeproxy.netfilter.causes import Arrives, Cause, RuleRefuses, Unreachable
from pykubeproxy.netfilter.outcome import Alternative, BranchResult, Outcome, Verdict, decided
from pykubeproxy.netfilter.tree import TraceNode
from pykubeproxy.netfilter.walk import Trace
from pykubeproxy.rules.ruleset import Ruleset

R = TypeVar("R", BranchResult, Outcome)
CauseOf = Callable[[BranchResult | Outcome], Cause]


def with_service_causes(
    traced: Trace,
    ruleset: Ruleset,
    cluster: ClusterView | None,
    listening: Container[int] = (),
    if_routed: Trace | None = None,
) -> Trace:
    """A Trace through `ruleset` with the causes of all outcomes and branches explained; otherwise unchanged.

    A refusal says why a Service has no endpoints. A packet that no rule redirects says what its destination is, and is
    lost if that is for Services alone. A packet that is redirected to an endpoint which objects do not list says so.
    `cluster` is None without objects; `listening` are the ports at which processes of the node are known to listen.
    `if_routed` is what would become of a packet that is not redirected, and to whose destination there is no way, if
    there were one.
    """
    unserved = UnservedDestination(traced.packet, ruleset, cluster, listening)
    title = service_of(step for outcome in decided(traced.outcomes) for step in outcome.path)

    def cause_of(result: BranchResult | Outcome) -> Cause:
        cause = service_cause(result.cause)
        if isinstance(cause, Unreachable) and result.dnat is None and if_routed is not None:
            return _unreachable(cause, [*decided(if_routed.outcomes)], cause_of)
        if isinstance(cause, PortUnused):
            return PortUnused(unserved.at_service)
        if not isinstance(cause, Arrives):
            return cause if cluster is None else cluster.with_finding(cause)
        if result.dnat is None:
            return unserved.cause(cause.event)
        stale = cluster.why_stale(title, result.dnat) if cluster is not None and title else None
        return cause if stale is None else ArrivesWithFinding(cause.event, stale)

    return msgspec.structs.replace(
        traced,
        outcomes=tuple(_outcome(outcome, cause_of) for outcome in traced.outcomes),
        tree=_node(traced.tree, cause_of),
    )


def _unreachable(cause: Unreachable, if_routed: Sequence[Outcome], cause_of: CauseOf) -> Cause:
    """The cause for a packet to whose destination there is no route.

    `if_routed` are the outcomes that it would have with a route. If they show that the destination is a Service's, the
    cause says what rules would do about it; else it is the given one.
    """
    if any(outcome.dnat is not None for outcome in if_routed):
        return ServiceUnreachable(cause.target, cause.why)
    refusals = [cause_of(outcome) for outcome in if_routed if isinstance(outcome.cause, RuleRefuses)]
    is_of_service = refusals and not isinstance(refusals[0], RuleRefuses)
    return ServiceUnreachable(cause.target, cause.why, refusals[0]) if is_of_service else cause


def _outcome(outcome: Outcome, cause_of: CauseOf) -> Outcome:
    alternatives = tuple(
        Alternative(
            question=each.question,
            holds=each.holds,
            outcomes=tuple(_outcome(inner, cause_of) for inner in each.outcomes),
        )
        for each in outcome.alternatives
    )
    return msgspec.structs.replace(_explained(outcome, cause_of), alternatives=alternatives)


def _node(node: TraceNode, cause_of: CauseOf) -> TraceNode:
    result = None if node.result is None else _explained(node.result, cause_of)
    children = tuple(_node(child, cause_of) for child in node.children)
    return msgspec.structs.replace(node, result=result, children=children)


def _explained(result: R, cause_of: CauseOf) -> R:
    cause = cause_of(result)
    verdict = Verdict.LOST if isinstance(cause, Lost) else result.verdict
    return msgspec.structs.replace(result, cause=cause, verdict=verdict)
