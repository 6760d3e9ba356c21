"""Rules that refuse connections to ports which no Service has at an address of a Service. Only where that is asked for.

They are in filter, where a packet to an address of a Service only comes if no rule of nat has redirected it, and behind
the rules that refuse or drop traffic for a ServicePort. kube-proxy has no such rules in iptables mode; in nftables mode
it has them for cluster IPs (`docs/options.md`).
"""

from collections.abc import Iterator

from pykubeproxy.rules import text
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule
from pykubeproxy.rules.options import Dispatch, RejectUnused, RuleOptions
from pykubeproxy.rules.routing import Routing

# Such an address may be this node's own, where anything else may listen.
_NOT_THIS_NODE = "-m addrtype ! --dst-type LOCAL"


def unused_ports_dispatch(routing: Routing, options: RuleOptions) -> Iterator[DispatchRule]:
    """Refuse the unused ports of the cluster IP, and of load-balancer IPs if all addresses are asked for.

    Not with linear dispatch, where each new connection would be compared with the addresses of all Services.
    """
    if options.reject_unused is RejectUnused.NONE or options.dispatch is not Dispatch.TREE:
        return
    yield _rule(DispatchChain.FILTER_SERVICES, routing.port.cluster_ip, options)
    if options.reject_unused is RejectUnused.ALL:
        for address in routing.port.load_balancer_ips:
            yield _rule(DispatchChain.FILTER_EXTERNAL, address, options, _NOT_THIS_NODE)


def _rule(chain: DispatchChain, address: str, options: RuleOptions, *matches: str) -> DispatchRule:
    match = " ".join((text.any_port(address, options.family), *matches))
    return DispatchRule(chain, "", address, None, 0, match, text.reject(options.family))
