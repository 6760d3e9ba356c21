"""Rules for traffic from outside: external IPs, load-balancer IPs, node ports, and the chain behind them.

Source: `docs/reference/iptables-rules.md` sections 7.2 to 7.5 and 7.7.
"""

from collections.abc import Iterator

from pykubeproxy.model.service import Protocol
from pykubeproxy.rules import names, text
from pykubeproxy.rules.fragment import DispatchChain, DispatchRule
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.routing import Routing, refusal_target
from pykubeproxy.rules.text import RuleKind


def external_ip_dispatch(routing: Routing, options: RuleOptions) -> Iterator[DispatchRule]:
    """Traffic to `spec.externalIPs`."""
    if not options.external_ips:
        return
    for address in routing.port.external_ips:
        if routing.external_chain:
            yield _to_address(routing, address, RuleKind.EXTERNAL_IP, routing.external_chain)
        yield from _refused_address(routing, address, options)


def load_balancer_dispatch(routing: Routing, options: RuleOptions) -> Iterator[DispatchRule]:
    """Traffic to load-balancer IPs that is delivered to the node with that destination."""
    for address in routing.port.load_balancer_ips:
        if routing.load_balancer_chain:
            yield _to_address(routing, address, RuleKind.LOAD_BALANCER_IP, routing.load_balancer_chain)
        yield from _refused_address(routing, address, options)


def node_port_dispatch(routing: Routing, options: RuleOptions) -> Iterator[DispatchRule]:
    """Traffic to the node port, on whichever local addresses lead to KUBE-NODEPORTS."""
    port = routing.port
    if not port.node_port:
        return
    word, title = port.protocol.lower(), routing.title
    chain: DispatchChain = DispatchChain.NAT_NODE_PORTS
    if routing.external_chain:
        match = f"-p {word} {text.comment(title)} -m {word} --dport {port.node_port}"
        if options.counts_localhost:
            counted = f"-d 127.0.0.0/8 {match} {text.COUNT_LOCALHOST}"
            yield DispatchRule(chain, title, "", port.protocol, port.node_port, counted, routing.external_chain)
        yield DispatchRule(chain, title, "", port.protocol, port.node_port, match, routing.external_chain)
    if routing.external.refusal:
        note = text.comment(f"{title} {routing.external.refusal}")
        match = f"-p {word} {note} -m addrtype --dst-type LOCAL -m {word} --dport {port.node_port}"
        target = refusal_target(routing.external, options.family)
        chain = DispatchChain.FILTER_EXTERNAL
        yield DispatchRule(chain, title, "", port.protocol, port.node_port, match, target)


def health_check_dispatch(routing: Routing) -> Iterator[DispatchRule]:
    """Let the load balancer ask this node's proxy for local endpoints, whatever other firewall rules say."""
    number = routing.port.health_check_node_port
    if number:
        note = text.comment(f"{routing.title} {RuleKind.HEALTH_CHECK}")
        match = f"-p tcp {note} -m tcp --dport {number}"
        chain = DispatchChain.FILTER_NODE_PORTS
        yield DispatchRule(chain, routing.title, "", Protocol.TCP, number, match, "ACCEPT")


def external_rules(chain: str, routing: Routing, options: RuleOptions) -> Iterator[str]:
    """The chain behind all external addresses: masquerade as the policy asks, then on to the policy chain.

    Under policy Local the client's address is kept, so nothing is masqueraded that comes from outside; pods and the
    node itself are treated as inside, and reach all endpoints.
    """
    port = routing.port
    if port.external_policy_local:
        cluster = routing.names.cluster
        if options.pod_traffic is not None:
            note = text.comment(f"{RuleKind.POD_TRAFFIC} {routing.title} external destinations")
            yield f"-A {chain} {text.from_pods(options.pod_traffic)}{note} -j {cluster}"
        note = text.comment(f"{RuleKind.MASQUERADE_LOCAL} {routing.title} external destinations")
        yield f"-A {chain} {note} -m addrtype --src-type LOCAL -j {names.MARK_MASQ}"
        note = text.comment(f"{RuleKind.ROUTE_LOCAL} {routing.title} external destinations")
        yield f"-A {chain} {note} -m addrtype --src-type LOCAL -j {cluster}"
    else:
        note = text.comment(f"{RuleKind.MASQUERADE} {routing.title} external destinations")
        yield f"-A {chain} {note} -j {names.MARK_MASQ}"
    if routing.external.chain:
        yield f"-A {chain} -j {routing.external.chain}"


def _to_address(routing: Routing, address: str, kind: RuleKind, target_chain: str) -> DispatchRule:
    port = routing.port
    match = text.to_port(address, port.protocol, port.port, f"{routing.title} {kind}")
    return DispatchRule(
        DispatchChain.NAT_SERVICES, routing.title, address, port.protocol, port.port, match, target_chain
    )


def _refused_address(routing: Routing, address: str, options: RuleOptions) -> Iterator[DispatchRule]:
    if routing.external.refusal:
        port = routing.port
        match = text.to_port(address, port.protocol, port.port, f"{routing.title} {routing.external.refusal}")
        target = refusal_target(routing.external, options.family)
        chain = DispatchChain.FILTER_EXTERNAL
        yield DispatchRule(chain, routing.title, address, port.protocol, port.port, match, target)
