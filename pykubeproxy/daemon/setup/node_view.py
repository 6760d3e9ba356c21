"""The state of this node, read whenever it is asked for, and the rule options that follow from it."""

import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from pykubeproxy import logger
from pykubeproxy.config.completed import Completed
from pykubeproxy.daemon.setup.config_check import config_problems, why_not_served
from pykubeproxy.daemon.setup.rule_options import NodeFacts, health_check_addresses, primary_family, rule_options
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.host import backend as backends
from pykubeproxy.host import interfaces, nfacct
from pykubeproxy.host.backend import Tools
from pykubeproxy.host.netlink import NetlinkError
from pykubeproxy.host.routes import source_towards
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.node import Node
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.text import LOCALHOST_COUNTER

log = logger.get()

_TCP_LIBERAL = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal")


class _DefaultIPs(msgspec.Struct, frozen=True, kw_only=True):
    """The default addresses of the machine, and the addresses and routes from which they follow (`seen`)."""

    seen: tuple[tuple[interfaces.InterfaceAddress, ...], tuple[IP | None, ...]]
    ips: tuple[IP, ...]


# Addresses of no machine (RFC 5737, RFC 3849): packets to them take the default route.
_SOMEWHERE = (IP(Family.IPV4, "203.0.113.1"), IP(Family.IPV6, "2001:db8::1"))


class NodeView:
    """Reads the state of this node. Every method reads it anew, unless it says otherwise."""

    def __init__(self, completed: Completed, own_options: OwnOptions, tools: Mapping[Family, Tools]) -> None:
        self._completed = completed
        self._own_options = own_options
        self._tools = tools
        self._default: _DefaultIPs | None = None
        self._makes_counter = False
        self._has_counting_match: bool | None = None

    def make_counter(self) -> None:
        """From now on, have the kernel count packets to node ports on localhost, if it can."""
        self._makes_counter = True
        if not self.counts_localhost:
            log.info("packets to node ports on localhost are not counted: the kernel or iptables has no nfacct")

    @property
    def counts_localhost(self) -> bool:
        """True if the kernel has a counter of packets to node ports on localhost, and rules can use it.

        After `make_counter`, it is made again whenever it is missing: a rule with a missing counter is refused.
        """
        tools = self._tools.get(Family.IPV4)
        if tools is None:
            return False
        if self._has_counting_match is None:
            self._has_counting_match = backends.has_match(tools, "nfacct")
        if self._makes_counter and self._has_counting_match:
            with suppress(NetlinkError):
                nfacct.ensure(LOCALHOST_COUNTER)
        return self._has_counting_match and nfacct.packets(LOCALHOST_COUNTER) is not None

    def facts(self, node: Node | None, family: Family) -> NodeFacts:
        """The facts about this node; `node` is its Node object, if there is one."""
        given = self._own_options.host_addresses
        tools = self._tools.get(family)
        return NodeFacts(
            node=node,
            host_addresses=given or interfaces.local_addresses(),
            # To find them, all routes are read, and a node may have a million.
            own_ips=() if node is not None else _node_ips(given) if given else self._default_ips(),
            random_fully=tools is None or tools.has_random_fully,
            counts_localhost=family is Family.IPV4 and self.counts_localhost,
            conntrack_tcp_liberal=tools is not None and _conntrack_is_liberal(),
        )

    def _default_ips(self) -> tuple[IP, ...]:
        """The addresses of the default routes; found again only when interface addresses or default routes change."""
        addresses = interfaces.interface_addresses()
        # One look-up by the kernel each, however many routes there are.
        sources = tuple(source_towards(somewhere) for somewhere in _SOMEWHERE)
        if self._default is None or self._default.seen != (addresses, sources):
            self._default = _DefaultIPs(seen=(addresses, sources), ips=interfaces.default_node_ips(addresses))
        return self._default.ips

    def options_for(self, node: Node | None, family: Family) -> RuleOptions:
        """The rule options of one family."""
        return rule_options(self._completed, self.facts(node, family), family, self._own_options)

    def health_check_addresses(self, node: Node | None, family: Family) -> tuple[str, ...] | None:
        """The local addresses on which health checks of Services are answered; None for all. Raises HostError."""
        if not self._completed.config.node_port_addresses:
            return None
        return health_check_addresses(self._completed, self.facts(node, family), family)

    def why_not_served(self, node: Node | None) -> str | None:
        """Why this node cannot be served; None if it can, and then problems of the configuration are logged.

        If the user has asked for one family only, that is the primary one. Raises HostError.
        """
        facts = self.facts(node, next(iter(self._tools)))
        primary = self._own_options.only_family or primary_family(self._completed, facts)
        its = (self._completed, facts, primary, self._tools.keys())
        why = why_not_served(*its)
        for problem in config_problems(*its) if why is None else ():
            log.warning("kube-proxy configuration may be incomplete or incorrect", problem=problem.text)
        return why


def _node_ips(given: Iterable[IP]) -> tuple[IP, ...]:
    """The addresses by which other nodes reach this one: neither loopback nor link-local."""
    return tuple(ip for ip in given if not (ip.is_loopback or ip.is_link_local))


def host_name() -> str:
    """The kernel's host name."""
    return socket.gethostname()


def _conntrack_is_liberal() -> bool:
    """True if conntrack does not call packets outside of the TCP window INVALID; False if that cannot be read."""
    try:
        return _TCP_LIBERAL.read_text().strip() not in ("", "0")
    except OSError:
        return False
