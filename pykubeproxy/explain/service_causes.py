"""Why a packet for a Service ends where it does: the meaning of the rules of kube-proxy and kubelet, as values.

The simulator only says which rule drops or rejects a packet (`RuleRefuses`). The comment of that rule, or the chain
that it is in, says why (`docs/reference/iptables-rules.md` sections 5 to 7). Nothing is known of other programs' rules.
"""

from enum import StrEnum

from pykubeproxy.explain.findings import Finding
from pykubeproxy.netfilter.causes import Arrives, Cause, RuleRefuses, Unreachable
from pykubeproxy.netfilter.events import Delivered, Sent
from pykubeproxy.rules import names
from pykubeproxy.rules.reading import read
from pykubeproxy.rules.text import RuleKind


class TrafficPolicy(StrEnum):
    """The field of a Service that a refusal is about."""

    EXTERNAL = "externalTrafficPolicy"
    INTERNAL = "internalTrafficPolicy"
    UNKNOWN = "traffic policy"


class NodeRule(StrEnum):
    """The rules that drop packets on every node, even on one without Services."""

    LOOPBACK_FROM_ELSEWHERE = "loopback-from-elsewhere"
    MARKED_TO_DROP = "marked-to-drop"
    INVALID_STATE = "invalid-state"


class NoReadyEndpoints(Cause, frozen=True):
    """A ServicePort (`namespace/name:port`) has no endpoint that is ready; `finding` is what objects say of it."""

    port: str
    finding: Finding | None = None


class NoLocalEndpoints(Cause, frozen=True):
    """A ServicePort with a traffic policy Local has no endpoint on this node; `finding` is what objects say of it."""

    policy: TrafficPolicy
    port: str
    finding: Finding | None = None


class NotInSourceRanges(Cause, frozen=True):
    """The packet's source (None if it is not known) is not in the loadBalancerSourceRanges of a ServicePort."""

    source: str | None
    port: str
    finding: Finding | None = None


class PortUnused(Cause, frozen=True):
    """No Service has the packet's port at its address, and unused ports are refused; `finding` has those in use."""

    finding: Finding | None = None


class DroppedByNodeRule(Cause, frozen=True):
    """One of the rules that every node has drops it."""

    rule: NodeRule


class ArrivesWithFinding(Arrives, frozen=True):
    """It gets through, but `finding` tells why that may not be what was meant."""

    finding: Finding


class ServiceUnreachable(Unreachable, frozen=True):
    """Routing finds no way to `target`, an address of a Service, before any rule has done something about that.

    `otherwise` is why rules would refuse the packet if there were a way; None if they would redirect it.
    """

    otherwise: Cause | None = None


class Lost(Cause, frozen=True):
    """No rule redirects it, although its destination is an address or a port for Services; `finding` says which."""

    event: Delivered | Sent
    finding: Finding


def service_cause(cause: Cause) -> Cause:
    """The meaning of the rule that refuses a packet, if it is kube-proxy's or kubelet's; any other cause unchanged."""
    if not isinstance(cause, RuleRefuses):
        return cause
    rule = read(cause.rule)
    match rule.kind:
        case RuleKind.NO_ENDPOINTS:
            return NoReadyEndpoints(rule.title)
        case RuleKind.NO_LOCAL_ENDPOINTS:
            return NoLocalEndpoints(_policy(cause), rule.title)
        case RuleKind.NOT_IN_SOURCE_RANGES:
            return NotInSourceRanges(cause.source, rule.title)
        case RuleKind.UNUSED_PORTS:
            return PortUnused()
        case _:
            node_rule = _node_rule(cause)
            return cause if node_rule is None else DroppedByNodeRule(node_rule)


def _policy(cause: RuleRefuses) -> TrafficPolicy:
    """The traffic policy that a refusal is about: it depends on the chain that led to the rule."""
    for chain in (cause.chain, *reversed(cause.callers)):
        if chain == names.EXTERNAL_SERVICES:
            return TrafficPolicy.EXTERNAL
        if chain == names.SERVICES:
            return TrafficPolicy.INTERNAL
    return TrafficPolicy.UNKNOWN


def _node_rule(cause: RuleRefuses) -> NodeRule | None:
    if cause.chain == names.FORWARD and "--ctstate INVALID" in cause.rule:
        return NodeRule.INVALID_STATE
    if cause.chain != names.FIREWALL:
        return None
    if "--ctstate" in cause.rule and " -d 127.0.0.0/8 " in cause.rule:
        return NodeRule.LOOPBACK_FROM_ELSEWHERE
    return NodeRule.MARKED_TO_DROP if " --mark " in cause.rule else None
