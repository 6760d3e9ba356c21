"""Where the traffic of one ServicePort goes: each decision made once, and named.

Source: `docs/reference/iptables-rules.md` section 6.
"""

from enum import StrEnum

import msgspec

from pykubeproxy.model.endpoint import Endpoint
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServicePort
from pykubeproxy.model.topology import UsableEndpoints, usable_endpoints
from pykubeproxy.rules import text
from pykubeproxy.rules.names import ChainNames
from pykubeproxy.rules.options import RuleOptions


class Refusal(StrEnum):
    """Why traffic is refused; the words end up in the rule's comment."""

    NO_ENDPOINTS = "has no endpoints"
    NO_LOCAL_ENDPOINTS = "has no local endpoints"


class TrafficDecision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where traffic goes that is sent to the cluster IP, or to any other address of the Service.

    That is the policy chain that it ends up in; or the chain is None, and `refusal` says why it is refused.
    Refused traffic without any endpoint is rejected at once; traffic that merely finds none on this node is dropped,
    so that a load balancer which probes several nodes is not told that the Service is gone.
    """

    chain: str | None
    refusal: Refusal | None


class Routing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All decisions about one ServicePort on this node.

    `title` is its name, `namespace/name:port`. `endpoint_count` is the number of all its endpoints, on any node, ready
    or not.

    A chain is None where it is not needed. `cluster_chain` and `local_chain` spread traffic over `endpoints.cluster`
    and `endpoints.local`; `external_chain` receives what was sent to node ports, external and load-balancer IPs;
    `firewall_chain` stands before it where source ranges restrict a load balancer.
    """

    port: ServicePort
    title: str
    names: ChainNames
    endpoints: UsableEndpoints
    endpoint_count: int
    internal: TrafficDecision
    external: TrafficDecision
    cluster_chain: str | None
    local_chain: str | None
    external_chain: str | None
    firewall_chain: str | None

    @property
    def load_balancer_chain(self) -> str | None:
        """Where traffic to a load-balancer IP goes first."""
        return self.firewall_chain or self.external_chain


def route(port: ServicePort, endpoints: tuple[Endpoint, ...], options: RuleOptions) -> Routing:
    """Decide everything about `port`, which has `endpoints` (all of them, ready or not)."""
    usable = usable_endpoints(port, endpoints, options.node_name, options.zone)
    names = ChainNames(port)
    has_any = usable.exist_anywhere
    is_filtered = has_any and bool(port.load_balancer_ips) and bool(port.source_ranges)
    return Routing(
        port=port,
        title=port.title,
        names=names,
        endpoints=usable,
        endpoint_count=len(endpoints),
        internal=_decision(usable, names, local_only=port.internal_policy_local),
        external=_decision(usable, names, local_only=port.external_policy_local),
        cluster_chain=names.cluster if usable.cluster else None,
        local_chain=names.local if usable.local else None,
        external_chain=names.external if has_any and port.externally_accessible else None,
        firewall_chain=names.firewall if is_filtered else None,
    )


def _decision(usable: UsableEndpoints, names: ChainNames, *, local_only: bool) -> TrafficDecision:
    if not usable.exist_anywhere:
        return TrafficDecision(chain=None, refusal=Refusal.NO_ENDPOINTS)
    if local_only and not usable.local:
        return TrafficDecision(chain=None, refusal=Refusal.NO_LOCAL_ENDPOINTS)
    return TrafficDecision(chain=names.local if local_only else names.cluster, refusal=None)


def refusal_target(decision: TrafficDecision, family: Family) -> str:
    """The target that refuses traffic: an answer where nobody serves it, silence where only this node does not."""
    return text.reject(family) if decision.refusal is Refusal.NO_ENDPOINTS else "DROP"
