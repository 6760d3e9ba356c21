"""Rules of the cluster IP (`docs/reference/iptables-rules.md` sections 7.1 and 7.6)."""

from collections.abc import Iterator

from pykubeproxy.rules import names, text
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.routing import Routing, refusal_target
from pykubeproxy.rules.text import RuleKind


def cluster_ip_dispatch(routing: Routing, options: RuleOptions) -> Iterator[DispatchRule]:
    """Send traffic for the cluster IP to its policy chain, or refuse it."""
    port, title = routing.port, routing.title
    if routing.internal.chain:
        match = text.to_port(port.cluster_ip, port.protocol, port.port, f"{title} {RuleKind.CLUSTER_IP}")
        chain, target = DispatchChain.NAT_SERVICES, routing.internal.chain
    else:
        match = text.to_port(port.cluster_ip, port.protocol, port.port, f"{title} {routing.internal.refusal}")
        chain, target = DispatchChain.FILTER_SERVICES, refusal_target(routing.internal, options.family)
    yield DispatchRule(chain, title, port.cluster_ip, port.protocol, port.port, match, target)


def internal_masquerade(routing: Routing, options: RuleOptions) -> Iterator[str]:
    """Mark traffic to the cluster IP that does not come from a pod of this node, so that replies come back here.

    Where every source counts as a pod, there is no such traffic, and no rule for it. kube-proxy writes one: the legacy
    tools take `! -s 0.0.0.0/0` and it never matches; the nft tools refuse it, and all other rules with it.
    """
    chain, port = routing.internal.chain, routing.port
    note = f"{routing.title} {RuleKind.CLUSTER_IP}"
    where = (port.cluster_ip, port.protocol, port.port, note)
    if options.masquerade_all:
        yield f"-A {chain} {text.to_port(*where)} -j {names.MARK_MASQ}"
    elif options.pod_traffic is not None and not options.pod_traffic.is_everything:
        yield f"-A {chain} {text.outside_pods_to_port(options.pod_traffic, *where)} -j {names.MARK_MASQ}"
