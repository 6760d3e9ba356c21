"""Why a packet for a Service ends where it does, as values: what kube-proxy's and kubelet's rules mean by it."""

from enum import StrEnum

from pykubeproxy.explain.findings import Finding
from pykubeproxy.netfilter.causes import Arrives, Cause


class TrafficPolicy(StrEnum):
    """The field of a Service that a refusal is about."""

    EXTERNAL = "externalTrafficPolicy"
    INTERNAL = "internalTrafficPolicy"
    UNKNOWN = "traffic policy"


class NodeRule(StrEnum):
    """The rules that every node has, and that drop packets."""

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


class DroppedByNodeRule(Cause, frozen=True):
    """One of the rules that every node has drops it."""

    rule: NodeRule


class ArrivesWithFinding(Arrives, frozen=True):
    """It gets through, but `finding` tells why that may not be what was meant."""

    finding: Finding
