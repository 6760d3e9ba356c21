"""What a node must have before anything is written to it (`lifecycle.md` section 7). Pure: the facts are arguments."""

from collections.abc import Collection, Iterable

from pykubeproxy.config.completed import Completed
from pykubeproxy.config.types import LocalMode
from pykubeproxy.daemon.settings import NodeFacts, cluster_networks
from pykubeproxy.model.ip import CIDR, Family


def why_not_served(completed: Completed, facts: NodeFacts, primary: Family, families: Collection[Family]) -> str | None:
    """Why the node cannot be served in `families`, in kube-proxy's words; None if it can.

    Its `primary` family must be one of them. Where networks tell pods apart, they must not all be of the other family:
    all traffic would go without masquerading that needs it. For cluster CIDRs this counts if the node has one family
    only, since the other family's proxy has no use for them then.
    """
    if primary not in families:
        return f'no support for primary IP family "{primary}"'
    kind = f"{primary}-primary" if len(families) > 1 else f"{primary}-only"
    mode = completed.config.detect_local_mode
    pod_cidrs = facts.node.pod_cidrs if facts.node is not None else ()
    if mode == LocalMode.NODE_CIDR and (other := _only_other(pod_cidrs, primary)):
        return _incorrect(kind, "node.spec.podCIDRs", other)
    if mode == LocalMode.CLUSTER_CIDR and len(families) == 1:
        other = _only_other(cluster_networks(completed), primary)
        return _incorrect(kind, "clusterCIDRs", other) if other else None
    return None


def _only_other(cidrs: Iterable[CIDR], primary: Family) -> Family | None:
    """The family of the networks if there are any, and none of them is of the primary one."""
    found = {cidr.family for cidr in cidrs}
    return next(iter(found)) if found and primary not in found else None


def _incorrect(kind: str, field: str, other: Family) -> str:
    return f"kube-proxy configuration is incorrect: cluster is {kind} but {field} contains only {other} addresses"
