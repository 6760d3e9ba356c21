"""Rules for loadBalancerSourceRanges: a chain that lets allowed sources in, and drops for the rest.

Dropping is not possible in nat. What the chain lets pass is rewritten and never seen again under the load balancer's
address; what still has that address when it comes to filter was refused. Source: `docs/reference/iptables-rules.md` 7.3
and 7.8.
"""

from collections.abc import Iterator

from pykubeproxy.rules import names, text
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.routing import Routing
from pykubeproxy.rules.text import RuleKind


def firewall_dispatch(routing: Routing) -> Iterator[DispatchRule]:
    """Drop, in filter, what the source ranges did not let through."""
    if routing.firewall_chain:
        port = routing.port
        for address in port.load_balancer_ips:
            note = f"{routing.title} {RuleKind.NOT_IN_SOURCE_RANGES} {routing.firewall_chain}"
            match = text.to_port(address, port.protocol, port.port, note)
            chain = DispatchChain.FILTER_FIREWALL
            yield DispatchRule(chain, routing.title, address, port.protocol, port.port, match, "DROP")


def firewall_rules(chain: str, routing: Routing, options: RuleOptions) -> Iterator[str]:
    """Let the source ranges in.

    Where they include the node itself, the load balancer's own addresses are let in too: traffic of the node to that
    address may carry it as its source.
    """
    port = routing.port
    note = text.comment(f"{routing.title} {RuleKind.LOAD_BALANCER_IP}")
    for cidr in port.source_ranges:
        yield f"-A {chain} -s {text.network(cidr.text)} {note} -j {routing.external_chain}"
    if options.node_ip is not None and any(cidr.contains(options.node_ip) for cidr in port.source_ranges):
        for address in port.load_balancer_ips:
            yield f"-A {chain} -s {text.host(address)} {note} -j {routing.external_chain}"
    rest = text.comment(f"{RuleKind.OTHER_SOURCES} {routing.title} will be dropped by {names.PROXY_FIREWALL}")
    yield f"-A {chain} {rest}"
