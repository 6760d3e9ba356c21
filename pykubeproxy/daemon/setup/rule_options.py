"""The rule options that follow from the configuration and from facts about the node. Does no I/O.

Source: `docs/reference/iptables-rules.md` sections 11 and 12, `docs/reference/lifecycle.md` section 6.
"""

from collections.abc import Iterable

import msgspec

from pykubeproxy.config.completed import Completed
from pykubeproxy.config.types import LocalMode, NodePortWord
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.model.ip import CIDR, IP, Family, parse_cidr, parse_ip
from pykubeproxy.model.node import Node
from pykubeproxy.rules.options import PodTraffic, RuleOptions

# The node IP where no address is known, as in kube-proxy.
_LOOPBACK = {Family.IPV4: IP(Family.IPV4, "127.0.0.1"), Family.IPV6: IP(Family.IPV6, "::1")}
_LOOPBACK_NETWORKS = ("127.0.0.0/8", "::1/128")
_ALL_NETWORKS = ("0.0.0.0/0", "::/0")
_LOCALHOST = IP(Family.IPV4, "127.0.0.0")


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of this node besides its configuration.

    `node` is its Node object, if there is one; `host_addresses` are the addresses of its interfaces; `own_ips` are its
    node IPs if there is no Node object. `counts_localhost` is True if the kernel has a counter of packets to node ports
    on 127.0.0.0/8, and rules can use it. The others say what the tools and the kernel can do.
    """

    node: Node | None = None
    host_addresses: tuple[IP, ...] = ()
    own_ips: tuple[IP, ...] = ()
    random_fully: bool = True
    counts_localhost: bool = False
    conntrack_tcp_liberal: bool = False


def node_ips(completed: Completed, facts: NodeFacts) -> dict[Family, IP]:
    """The node's address in each family, the primary family first; 127.0.0.1 or ::1 where none is known."""
    found = list(facts.node.ips if facts.node is not None else facts.own_ips)
    bind = parse_ip(completed.config.bind_address)
    if bind is not None and not bind.is_unspecified:
        found = [bind, *(ip for ip in found if ip.family is not bind.family)]
    by_family: dict[Family, IP] = {}
    for ip in (*found, *_LOOPBACK.values()):
        by_family.setdefault(ip.family, ip)
    return by_family


def primary_family(completed: Completed, facts: NodeFacts) -> Family:
    """The family of the node's first IP address."""
    return next(iter(node_ips(completed, facts)))


def cluster_networks(completed: Completed) -> tuple[CIDR, ...]:
    """The networks of --cluster-cidr."""
    return tuple(_parsed(completed.cluster_cidrs))


def node_port_networks(completed: Completed, facts: NodeFacts) -> tuple[CIDR, ...]:
    """The networks of --nodeport-addresses, with its words (such as `primary`) replaced by what they stand for."""
    return tuple(_configured_cidrs(completed, facts))


def rule_options(completed: Completed, facts: NodeFacts, family: Family, own_options: OwnOptions) -> RuleOptions:
    """The options of one family."""
    iptables = completed.config.iptables
    is_localhost_open = localhost_node_ports(completed, facts) and family is Family.IPV4
    return RuleOptions(
        family=family,
        node_name=completed.node_name,
        zone=facts.node.zone if facts.node is not None else "",
        node_ip=node_ips(completed, facts)[family],
        masquerade_bit=iptables.masquerade_bit,
        masquerade_all=iptables.masquerade_all,
        pod_traffic=_pod_traffic(completed, facts, family),
        node_port_addresses=_node_port_addresses(completed, facts, family),
        localhost_node_ports=is_localhost_open,
        counts_localhost=facts.counts_localhost and is_localhost_open,
        external_ips=completed.feature_gates.enabled("AllowServiceExternalIPs"),
        conntrack_tcp_liberal=facts.conntrack_tcp_liberal or completed.config.conntrack.tcp_be_liberal,
        random_fully=facts.random_fully,
        dispatch=own_options.dispatch,
        reject_unused=own_options.reject_unused,
        end_established_tcp=own_options.end_established_tcp,
    )


def localhost_node_ports(completed: Completed, facts: NodeFacts) -> bool:
    """True if node ports answer on 127.0.0.1: configured, and among the node-port addresses. IPv4 only."""
    configured = completed.config.iptables.localhost_node_ports
    return configured and _node_port_cidrs(completed, facts, Family.IPV4).includes_localhost


def health_check_addresses(completed: Completed, facts: NodeFacts, family: Family) -> tuple[str, ...] | None:
    """The local addresses on which health checks of Services are answered; None for all of them.

    Those of loopback interfaces count, be node ports answered there or not (`docs/reference/health-and-metrics.md`
    section 4).
    """
    networks = _node_port_cidrs(completed, facts, family).cidrs
    return None if networks is None else _within(networks, facts.host_addresses)


class _CIDRs(msgspec.Struct, frozen=True, kw_only=True):
    """The node-port networks of a family; None stands for all addresses."""

    cidrs: tuple[CIDR, ...] | None
    includes_localhost: bool


def _node_port_addresses(completed: Completed, facts: NodeFacts, family: Family) -> tuple[str, ...] | None:
    """The local addresses on which node ports answer; None for all of them."""
    networks = _node_port_cidrs(completed, facts, family).cidrs
    if networks is None:
        return None
    is_localhost_open = family is Family.IPV4 and localhost_node_ports(completed, facts)
    return _within(networks, (ip for ip in facts.host_addresses if is_localhost_open or not ip.is_loopback))


def _within(networks: Iterable[CIDR], addresses: Iterable[IP]) -> tuple[str, ...]:
    """Those of `addresses` that are in one of `networks`, each once."""
    return tuple(sorted({ip.text for ip in addresses if any(cidr.contains(ip) for cidr in networks)}))


def _node_port_cidrs(completed: Completed, facts: NodeFacts, family: Family) -> _CIDRs:
    """The configured networks of a family; none configured, or one that holds every address, means all."""
    includes_localhost = False
    kept: list[CIDR] = []
    for cidr in _configured_cidrs(completed, facts):
        if cidr.family is not family:
            continue
        includes_localhost |= _is_loopback(cidr) or cidr.contains(_LOCALHOST)
        if cidr.prefix == 0:
            kept = []
            break
        kept.append(cidr)
    if not kept:
        return _CIDRs(cidrs=None, includes_localhost=True)
    return _CIDRs(cidrs=tuple(kept), includes_localhost=includes_localhost)


def _is_loopback(cidr: CIDR) -> bool:
    address = parse_ip(cidr.text.partition("/")[0])
    return address is not None and address.is_loopback


def _configured_cidrs(completed: Completed, facts: NodeFacts) -> Iterable[CIDR]:
    for configured in completed.config.node_port_addresses:
        match configured:
            case NodePortWord.PRIMARY:
                for ip in node_ips(completed, facts).values():
                    if not ip.is_loopback:
                        yield CIDR(ip.family, f"{ip.text}/{ip.family.bits}", ip.family.bits)
            case NodePortWord.LOCALHOST:
                yield from _parsed(_LOOPBACK_NETWORKS)
            case NodePortWord.ALL:
                yield from _parsed(_ALL_NETWORKS)
            case _:
                yield from _parsed((configured,))


def _pod_traffic(completed: Completed, facts: NodeFacts, family: Family) -> PodTraffic | None:
    config = completed.config
    match config.detect_local_mode:
        case LocalMode.BRIDGE_INTERFACE:
            return PodTraffic(interface=config.detect_local.bridge_interface)
        case LocalMode.INTERFACE_NAME_PREFIX:
            return PodTraffic(interface=f"{config.detect_local.interface_name_prefix}+")
        case LocalMode.NODE_CIDR:
            cidrs: Iterable[CIDR] = facts.node.pod_cidrs if facts.node is not None else ()
        case _:
            cidrs = cluster_networks(completed)
    first = next((cidr for cidr in cidrs if cidr.family is family), None)
    return PodTraffic(source=first.text) if first is not None else None


def _parsed(texts: Iterable[str]) -> Iterable[CIDR]:
    for text in texts:
        cidr = parse_cidr(text.strip())
        if cidr is not None:
            yield cidr
