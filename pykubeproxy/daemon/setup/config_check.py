"""Whether the configuration fits the node, as kube-proxy checks it before the first sync. Does no I/O.

Source: `docs/reference/lifecycle.md` sections 5 and 7.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from pykubeproxy.config.completed import Completed
from pykubeproxy.config.types import LocalMode
from pykubeproxy.daemon.setup.rule_options import NodeFacts, cluster_networks, node_port_networks
from pykubeproxy.model.ip import CIDR, Family, parse_ip


class ConfigProblem(msgspec.Struct, frozen=True):
    """Something in the configuration that does not fit the node, in kube-proxy's words. A fatal one ends it."""

    text: str
    is_fatal: bool = False


def why_not_served(completed: Completed, facts: NodeFacts, primary: Family, families: Collection[Family]) -> str | None:
    """Why kube-proxy would end on this node, in its words; None if the node can be served.

    `families` are those with iptables tools. The reason is that `primary` is not one of them, or a fatal problem.
    """
    if primary not in families:
        return f'no support for primary IP family "{primary}"'
    for problem in config_problems(completed, facts, primary, families):
        if problem.is_fatal:
            return f"kube-proxy configuration is incorrect: {problem.text}"
    return None


def config_problems(
    completed: Completed, facts: NodeFacts, primary: Family, families: Collection[Family]
) -> Iterator[ConfigProblem]:
    """Node ports that answer on more addresses than the user may expect, and addresses of the wrong family.

    Cluster and pod CIDRs of the other family only are fatal if they are what tells pods from other clients: no traffic
    of the primary family would be masqueraded. Cluster CIDRs are so only on a node with a single family.
    """
    is_single = len(families) == 1
    cluster = f"cluster is {primary}-{'only' if is_single else 'primary'}"
    config = completed.config
    pod_cidrs = facts.node.pod_cidrs if facts.node is not None else ()
    yield from _open_node_ports(completed, facts, primary, pod_cidrs)
    if other := _only_other(cluster_networks(completed), primary):
        is_fatal = is_single and config.detect_local_mode == LocalMode.CLUSTER_CIDR
        yield ConfigProblem(f"{cluster} but clusterCIDRs contains only {other} addresses", is_fatal)
    if other := _only_other(pod_cidrs, primary):
        is_fatal = config.detect_local_mode == LocalMode.NODE_CIDR
        yield ConfigProblem(f"{cluster} but node.spec.podCIDRs contains only {other} addresses", is_fatal)
    servers = {"healthzBindAddress": config.healthz_bind_address, "metricsBindAddress": config.metrics_bind_address}
    for field, address in servers.items() if is_single else ():
        if (other := _family_of(address)) not in (None, primary):
            yield ConfigProblem(f"{cluster} but {field} is {other}")


def _open_node_ports(
    completed: Completed, facts: NodeFacts, primary: Family, pod_cidrs: Sequence[CIDR]
) -> Iterator[ConfigProblem]:
    """The problem that node ports of a family, or of both, answer on all local addresses."""
    if not completed.config.node_port_addresses:
        accepted = "NodePort connections will be accepted on all local IPs"
        yield ConfigProblem(
            f"nodePortAddresses is unset; {accepted}. Consider using `--nodeport-addresses primary,localhost`"
        )
        return
    restricted = node_port_networks(completed, facts)
    found = {cidr.family for cidr in restricted}
    other = next(family for family in Family if family is not primary)
    networks = (cluster_networks(completed), restricted, pod_cidrs)
    is_dual = any(len({cidr.family for cidr in its}) > 1 for its in networks)
    if is_dual and found == {primary}:
        has, lacks, cluster = primary, other, "dual-stack"
    elif primary not in found:
        has, lacks, cluster = other, primary, f"{primary}-primary"
    else:
        return
    yield ConfigProblem(
        f"cluster appears to be {cluster} but nodePortAddresses contains only {has} addresses; "
        f"NodePort connections will be accepted on all local {lacks} IPs"
    )


def _only_other(cidrs: Iterable[CIDR], primary: Family) -> Family | None:
    """The other family if all of the networks are of that one; None if there are no networks."""
    found = {cidr.family for cidr in cidrs}
    return next(iter(found)) if found and primary not in found else None


def _family_of(address: str) -> Family | None:
    """The family of the address in `ip:port`; None if it is unspecified (0.0.0.0 or ::), or missing."""
    ip = parse_ip(address.rpartition(":")[0].strip("[]"))
    return None if ip is None or ip.is_unspecified else ip.family
