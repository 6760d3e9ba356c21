"""Putting the parts together for one node: which families and tools, and what is known of the node."""

import socket
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec
import structlog

from pykubeproxy.config.completed import Completed
from pykubeproxy.daemon.setup.sanity import mistakes, why_not_served
from pykubeproxy.daemon.setup.settings import NodeFacts, health_check_addresses, primary_family, rule_options
from pykubeproxy.host import backend as backends
from pykubeproxy.host import interfaces, nfacct
from pykubeproxy.host.backend import Backend, Tools
from pykubeproxy.host.errors import HostError, LockTimeout, RestoreError, ToolMissing
from pykubeproxy.host.iptables import IptablesHost
from pykubeproxy.host.netlink import NetlinkError
from pykubeproxy.host.routes import source_towards
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.node import Node
from pykubeproxy.plan.sections import Split, sections, whole
from pykubeproxy.rules.options import Dispatch, RuleOptions
from pykubeproxy.rules.text import LOCALHOST_COUNTER

log = structlog.get_logger()

_TCP_LIBERAL = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal")


class Commit(StrEnum):
    """How a Plan is committed: in sections where that is faster, or always as a whole."""

    AUTO = "auto"
    SINGLE = "single"


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What the user chose beyond kube-proxy's own configuration.

    `families` is None for both, where the node has them; `backend` is None to find out which one the node uses.
    """

    families: tuple[Family, ...] | None = None
    backend: Backend | None = None
    dispatch: Dispatch = Dispatch.TREE
    commit: Commit = Commit.AUTO
    host_addresses: tuple[IP, ...] = ()

    @property
    def wanted_families(self) -> tuple[Family, ...]:
        """The families to work for."""
        return self.families or tuple(Family)

    @property
    def only_family(self) -> Family | None:
        """The family, if just one is asked for."""
        return self.families[0] if self.families and len(self.families) == 1 else None


def split_for(choices: Choices, tools: Tools) -> Split:
    """How Plans are divided for some tools: only the nft ones gain by it, and need it."""
    return sections if choices.commit is Commit.AUTO and tools.backend is Backend.NFT else whole


def find_tools(choices: Choices, *, may_load: bool = False) -> dict[Family, Tools]:
    """The tools of every family to work for. One for which the node has none is left out, if nobody asked for it.

    With `may_load`, a legacy table may be loaded to find out whether the kernel has any. Raises HostError.
    """
    found: dict[Family, Tools] = {}
    missing: dict[Family, HostError] = {}
    for family in choices.wanted_families:
        try:
            _require_kernel_support(family)
            backend = choices.backend or _detected(family, may_load=may_load)
            found[family] = backends.find_tools(family, backend)
        except ToolMissing as problem:
            missing[family] = problem
    _go_on_without(missing, found, choices)
    return found


def _detected(family: Family, *, may_load: bool) -> Backend:
    """The backend that this node uses. Raises HostError."""
    found = backends.detect(family, may_load=may_load)
    if found.instead_of is not None:
        told = "the kernel has nothing for the default iptables tools; the others are used"
        log.warning(told, family=family, default=found.instead_of, used=found.backend)
    return found.backend


def working_tools(choices: Choices) -> dict[Family, Tools]:
    """The tools of every family to work for, without a family whose tools are there and do not work.

    What fails later is tried again; what fails at the very start is a matter of rights or of the kernel. Also raises
    HostError if another proxy uses the other backend.
    """
    found = find_tools(choices, may_load=True)
    broken: dict[Family, HostError] = {}
    for family, its in found.items():
        try:
            _check(its)
        except LockTimeout:
            raise
        except RestoreError as problem:
            broken[family] = problem
    working = {family: its for family, its in found.items() if family not in broken}
    _go_on_without(broken, working, choices)
    return working


def check_tools(tools: Mapping[Family, Tools]) -> None:
    """Refuse to work beside a proxy that uses the other backend, or where the tools do not work at all.

    Raises HostError.
    """
    for its in tools.values():
        _check(its)


def _check(tools: Tools) -> None:
    backends.check(tools)
    IptablesHost(tools).check()


def _go_on_without(problems: Mapping[Family, HostError], left: Collection[Family], choices: Choices) -> None:
    """Do without the families that have problems. Raises the first of those if that will not do."""
    for problem in problems.values():
        if choices.families is not None or not left:
            raise problem
    for family, problem in problems.items():
        log.warning("single-stack", without=family, why=str(problem))


class _DefaultIPs(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses that the machine is known by, and the interface addresses and ways out that they follow from."""

    seen: tuple[tuple[interfaces.InterfaceAddress, ...], tuple[IP | None, ...]]
    ips: tuple[IP, ...]


# Addresses of no machine (RFC 5737, RFC 3849): packets to them take the default route.
_SOMEWHERE = (IP(Family.IPV4, "203.0.113.1"), IP(Family.IPV6, "2001:db8::1"))


class NodeView:
    """What is known of this node, and the rule options that follow from it."""

    def __init__(self, completed: Completed, choices: Choices, tools: Mapping[Family, Tools]) -> None:
        self._completed = completed
        self._choices = choices
        self._tools = tools
        self._default: _DefaultIPs | None = None
        self._makes_counter = False
        self._has_counting_match: bool | None = None

    def make_counter(self) -> None:
        """From now on see to it that the kernel counts packets to node ports on localhost, where it can."""
        self._makes_counter = True
        if not self.counts_localhost:
            log.info("packets to node ports on localhost are not counted: the kernel or iptables has no nfacct")

    @property
    def counts_localhost(self) -> bool:
        """True if the kernel has a counter of packets to node ports on localhost, and rules can count in it.

        It is made, if that is asked for, now and again: a rule that counts in what is not there would be refused.
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
        """The facts about this node now, `node` being its Node object if there is one."""
        given = self._choices.host_addresses
        tools = self._tools.get(family)
        return NodeFacts(
            node=node,
            host_addresses=given or interfaces.local_addresses(),
            # Finding them means to read all routes, of which a node may have a million.
            own_ips=() if node is not None else _node_ips(given) if given else self._default_ips(),
            random_fully=tools is None or tools.has_random_fully,
            counts_localhost=family is Family.IPV4 and self.counts_localhost,
            conntrack_tcp_liberal=tools is not None and _conntrack_is_liberal(),
        )

    def _default_ips(self) -> tuple[IP, ...]:
        """The addresses that this machine is known by; looked for again when its own or its default routes change."""
        addresses = interfaces.interface_addresses()
        # One look-up by the kernel each, however many routes there are.
        sources = tuple(source_towards(somewhere) for somewhere in _SOMEWHERE)
        if self._default is None or self._default.seen != (addresses, sources):
            self._default = _DefaultIPs(seen=(addresses, sources), ips=interfaces.default_node_ips(addresses))
        return self._default.ips

    def options_for(self, node: Node | None, family: Family) -> RuleOptions:
        """The rule options of one family."""
        return rule_options(self._completed, self.facts(node, family), family, self._choices.dispatch)

    def health_check_addresses(self, node: Node | None, family: Family) -> tuple[str, ...] | None:
        """The local addresses on which health checks of Services are answered; None for all. Raises HostError."""
        if not self._completed.config.node_port_addresses:
            return None
        return health_check_addresses(self._completed, self.facts(node, family), family)

    def why_not_served(self, node: Node | None) -> str | None:
        """Why this node cannot be served; None if it can: then what looks like a mistake is logged. Raises HostError.

        A family that was asked for by name is the primary one, whatever the node says.
        """
        facts = self.facts(node, next(iter(self._tools)))
        primary = self._choices.only_family or primary_family(self._completed, facts)
        its = (self._completed, facts, primary, self._tools.keys())
        why = why_not_served(*its)
        for mistake in mistakes(*its) if why is None else ():
            log.warning("kube-proxy configuration may be incomplete or incorrect", problem=mistake.text)
        return why


def _node_ips(given: Iterable[IP]) -> tuple[IP, ...]:
    """Those by which others may know a node, in the order in which they were given."""
    return tuple(ip for ip in given if not (ip.is_loopback or ip.is_link_local))


def host_name() -> str:
    """The kernel's host name."""
    return socket.gethostname()


def _require_kernel_support(family: Family) -> None:
    problem = interfaces.why_no_ipv6() if family is Family.IPV6 else None
    if problem is not None:
        raise ToolMissing(problem)


def _conntrack_is_liberal() -> bool:
    """True if conntrack is told not to call out-of-window packets invalid; unreadable counts as no."""
    try:
        return _TCP_LIBERAL.read_text().strip() not in ("", "0")
    except OSError:
        return False
