"""Finding out what a move to kube-proxy's nftables mode would change, for `check --for nftables`."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from pykubeproxy.cli.status_reading import configuration_of, find_node_tools
from pykubeproxy.config.types import IPTables, KubeProxyConfiguration
from pykubeproxy.daemon.setup.node_view import host_name
from pykubeproxy.explain.service_lookup import health_check_ports, node_ports
from pykubeproxy.explain.status.nftables_move import AddressUse, MoveFacts, RuleFacts
from pykubeproxy.explain.staying import kept_rules
from pykubeproxy.flows.stale import address_of, port_of
from pykubeproxy.host import interfaces, nfacct, nft_tables
from pykubeproxy.host.backend import Tools, existing_tables
from pykubeproxy.host.conntrack import ConntrackTable
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.host.machine import kernel_release
from pykubeproxy.host.netlink import DumpInterrupted
from pykubeproxy.host.proxy_endpoints import find_running
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import TABLES, Ruleset
from pykubeproxy.rules.text import LOCALHOST_COUNTER
from pykubeproxy.traffic.counters import CounterReader, drops_invalid

_OURS = "KUBE-"


def read_move(metrics: str = "", health: str = "") -> MoveFacts:
    """What is known of this node; rules and connections only with the right to read them. Raises HostError."""
    running = find_running(metrics, health)
    config = configuration_of(running.config)
    known = config if config is not None else KubeProxyConfiguration()
    status = running.answer.status if running.answer is not None else None
    addresses = status.node_addresses if status is not None else ()
    return MoveFacts(
        node_name=status.node_name if status is not None else known.hostname_override or host_name(),
        kernel_release=kernel_release(),
        has_nftables=nft_tables.has_nftables(),
        has_config=config is not None,
        node_port_addresses=tuple(known.node_port_addresses),
        localhost_node_ports=known.iptables.localhost_node_ports,
        tcp_be_liberal=known.conntrack.tcp_be_liberal,
        iptables_options=_changed_options(known.iptables),
        rules=_read_rules(addresses) if nft_tables.may_ask() else None,
    )


def _changed_options(iptables: IPTables) -> tuple[str, ...]:
    """The options of the section `iptables` that are not the defaults, as they are written there."""
    default = IPTables()
    return tuple(
        f"iptables.{field.encode_name}"
        for field in msgspec.structs.fields(IPTables)
        if getattr(iptables, field.name) != getattr(default, field.name)
    )


def _read_rules(addresses: Iterable[str]) -> RuleFacts:
    interfaces_now = interfaces.interface_addresses()
    primary = set(addresses) or {ip.text for ip in interfaces.default_node_ips(interfaces_now)}
    own = {address.ip for address in interfaces_now}
    others = {ip.text for ip in own if not (ip.is_loopback or ip.is_link_local or ip.text in primary)}
    loopback = {ip.text for ip in own if ip.is_loopback}
    found = [_RulesOf(family, tools) for family, tools in find_node_tools().items()]
    open_to: Counter[str] = Counter()
    for its in found:
        open_to.update(its.connections())
    return RuleFacts(
        node_ports=max((len(its.node_ports) for its in found), default=0),
        elsewhere=tuple(AddressUse(text, open_to[text]) for text in sorted(others) if open_to[text]),
        other_addresses=len(others),
        localhost_packets=nfacct.packets(LOCALHOST_COUNTER),
        localhost=sum(open_to[text] for text in loopback),
        invalid_dropped=sum(its.invalid_dropped for its in found),
        health_checks=max((len(health_check_ports(its.rules)) for its in found), default=0),
        foreign_rules=tuple(rule for its in found for rule in its.foreign_rules()),
    )


class _RulesOf:
    """The live rules of one family, and the connections that they have let in."""

    def __init__(self, family: Family, tools: Tools) -> None:
        self.family = family
        counters = CounterReader(Ruleset(tables={}))
        tables = existing_tables(tools, TABLES)
        self.rules = IptablesHost(tools).save(tables=tables, counted=counters) if tables else Ruleset(tables={})
        self.invalid_dropped = sum(count for rule, count in counters.reading.items() if drops_invalid(rule))
        self.node_ports = {(each.protocol, each.port) for each in node_ports(self.rules)}

    def connections(self) -> Mapping[str, int]:
        """How many connections are open to node ports, by the address that clients have asked for."""
        found: Counter[str] = Counter()
        for protocol in (Protocol.TCP, Protocol.UDP):
            ports = {port.to_bytes(2, "big") for name, port in self.node_ports if name == protocol.lower()}
            try:
                for flow in ConntrackTable().flows(self.family, protocol) if ports else ():
                    if port_of(flow.destination) in ports and flow.answered_by != flow.destination:
                        found[address_of(flow.destination)] += 1
            except DumpInterrupted:
                continue  # what was seen is good enough
        return found

    def foreign_rules(self) -> Iterable[str]:
        """The rules of other programs that lead to chains of the proxy, each with its table."""
        for kept in kept_rules(self.rules):
            for rule in kept.rules:
                if _OURS in rule and target_of(rule).startswith(_OURS):
                    yield f"{self.family} {kept.table}: {rule}"
