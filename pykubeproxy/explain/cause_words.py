"""The words for why a packet gets through or not."""

from pykubeproxy.explain.event_words import event_text, question_text, routing_failure_text
from pykubeproxy.explain.finding_words import finding_clause, finding_text
from pykubeproxy.explain.service_causes import (
    ArrivesWithFinding,
    DroppedByNodeRule,
    Lost,
    NodeRule,
    NoLocalEndpoints,
    NoReadyEndpoints,
    NotInSourceRanges,
    PortUnused,
    ServiceUnreachable,
)
from pykubeproxy.netfilter.causes import Arrives, Cause, PolicyDrops, RuleRefuses, TraceEnds, Undecidable, Unreachable

_NODE_RULES = {
    NodeRule.LOOPBACK_FROM_ELSEWHERE: (
        "loopback addresses of this node must not be reached from elsewhere (KUBE-FIREWALL)"
    ),
    NodeRule.MARKED_TO_DROP: "the packet was marked to be dropped (KUBE-MARK-DROP, dropped in KUBE-FIREWALL)",
    NodeRule.INVALID_STATE: (
        "conntrack finds the packet INVALID: it belongs to no connection that is known here (KUBE-FORWARD)"
    ),
}


def cause_text(cause: Cause) -> str:  # noqa: C901, PLR0911, PLR0912  one case for each kind of cause
    """Where a packet goes, or why it does not get through, in a sentence."""
    match cause:
        case ArrivesWithFinding(event, finding):
            return f"{event_text(event)}{finding_text(finding)}"
        case Arrives(event):
            return event_text(event)
        case Lost(event, finding):
            return f"{finding_clause(finding)}; {event_text(event)}"
        case NoReadyEndpoints(port, finding):
            return f"no ready endpoints for {port}{finding_text(finding)}"
        case NoLocalEndpoints(policy, port, finding):
            return f"{policy}: Local and no endpoint on this node for {port}{finding_text(finding)}"
        case NotInSourceRanges(source, port, finding):
            named = "source" if source is None else f"source {source}"
            return f"{named} not in loadBalancerSourceRanges of {port}{finding_text(finding)}"
        case PortUnused(finding):
            return f"unused ports are refused{finding_text(finding)}"
        case DroppedByNodeRule(rule):
            return _NODE_RULES[rule]
        case PolicyDrops(table, chain):
            return f"policy DROP of chain {chain} in table {table}: no rule there accepted the packet"
        case RuleRefuses():
            done = "rejected" if cause.is_rejected else "dropped"
            return f"{done} by rule {cause.position} of chain {cause.chain} in table {cause.table}: {cause.rule}"
        case ServiceUnreachable(target, why, None):
            order = (
                "rules would redirect it, but the kernel looks for a way before they see what this node itself sends"
            )
            return f"{routing_failure_text(target, why)}; {order}: a default route is enough"
        case ServiceUnreachable(target, why, Cause() as otherwise):
            return f"{routing_failure_text(target, why)}; it would be refused anyway: {cause_text(otherwise)}"
        case Unreachable(target, why):
            return routing_failure_text(target, why)
        case Undecidable(question):
            return f"cannot decide: {question_text(question)}"
        case TraceEnds(event):
            return event_text(event)
    raise TypeError(cause)
