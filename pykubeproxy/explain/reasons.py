"""What a Service proxy's and kubelet's rules mean by it when they drop or reject a packet.

Their comments say what the rules are for (`docs/reference/iptables-rules.md` sections 5 to 7); of others' rules,
nothing is known.
"""

from collections.abc import Callable

from pykubeproxy.explain.service_causes import (
    DroppedByNodeRule,
    NodeRule,
    NoLocalEndpoints,
    NoReadyEndpoints,
    NotInSourceRanges,
    TrafficPolicy,
)
from pykubeproxy.netfilter.causes import Cause, RuleRefuses
from pykubeproxy.rules import names

_NO_ENDPOINTS = " has no endpoints"
_NO_LOCAL_ENDPOINTS = " has no local endpoints"
_SOURCE_RANGES = " traffic not accepted by "


def understood(cause: Cause) -> Cause:
    """The cause of a refusal in terms of Services, where a rule tells; any other cause as it is."""
    if not isinstance(cause, RuleRefuses):
        return cause
    comment = cause.comment
    if comment.endswith(_NO_ENDPOINTS):
        return NoReadyEndpoints(comment.removesuffix(_NO_ENDPOINTS))
    if comment.endswith(_NO_LOCAL_ENDPOINTS):
        return NoLocalEndpoints(_policy(cause), comment.removesuffix(_NO_LOCAL_ENDPOINTS))
    port, found, _ = comment.partition(_SOURCE_RANGES)
    if found:
        return NotInSourceRanges(cause.source, port)
    return next((DroppedByNodeRule(rule) for fits, rule in _NODE_RULES if fits(cause)), cause)


def _policy(cause: RuleRefuses) -> TrafficPolicy:
    """The traffic policy that a refusal is about: it depends on the chain in which a Service's address was found."""
    for chain in (cause.chain, *reversed(cause.callers)):
        if chain == names.EXTERNAL_SERVICES:
            return TrafficPolicy.EXTERNAL
        if chain == names.SERVICES:
            return TrafficPolicy.INTERNAL
    return TrafficPolicy.UNKNOWN


_NODE_RULES: tuple[tuple[Callable[[RuleRefuses], bool], NodeRule], ...] = (
    (
        lambda cause: cause.chain == names.FIREWALL and "--ctstate" in cause.rule and " -d 127.0.0.0/8 " in cause.rule,
        NodeRule.LOOPBACK_FROM_ELSEWHERE,
    ),
    (lambda cause: cause.chain == names.FIREWALL and " --mark " in cause.rule, NodeRule.MARKED_TO_DROP),
    (lambda cause: cause.chain == names.FORWARD and "--ctstate INVALID" in cause.rule, NodeRule.INVALID_STATE),
)
