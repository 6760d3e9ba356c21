"""What one ServicePort contributes to a Ruleset: chains of its own, and dispatch rules in the chains that all share."""

from enum import StrEnum

import msgspec

from pykubeproxy.model.service import Protocol
from pykubeproxy.rules import names
from pykubeproxy.rules.ruleset import ChainId, Lines


class DispatchChain(StrEnum):
    """A chain that all Services share, in which a packet finds the Service that it is meant for; `table chain`."""

    NAT_SERVICES = f"nat {names.SERVICES}"
    NAT_NODE_PORTS = f"nat {names.NODE_PORTS}"
    FILTER_SERVICES = f"filter {names.SERVICES}"
    FILTER_EXTERNAL = f"filter {names.EXTERNAL_SERVICES}"
    FILTER_NODE_PORTS = f"filter {names.NODE_PORTS}"
    FILTER_FIREWALL = f"filter {names.PROXY_FIREWALL}"

    @property
    def id(self) -> ChainId:
        """The chain as (table, name)."""
        return self.table, self.chain

    @property
    def table(self) -> str:
        """The table that the chain is in."""
        return self.value.partition(" ")[0]

    @property
    def chain(self) -> str:
        """The chain's name."""
        return self.value.partition(" ")[2]


DISPATCH_CHAINS = frozenset(each.id for each in DispatchChain)


def leads_to_services(table: str, chain: str) -> bool:
    """True for a dispatch chain, and for a chain below it in its tree."""
    return (table, chain) in DISPATCH_CHAINS or names.is_tree_chain(chain)


class DispatchRule(msgspec.Struct, frozen=True, gc=False):
    """One rule of a dispatch chain: whose it is, what a packet must be sent to for it, and its text in two parts.

    `title` is the ServicePort, `namespace/name:port`. `address` is the destination address in the rule, empty where the
    rule matches any local address. `match` is the text between `-A CHAIN ` and ` -j `, `target` the text behind that: a
    chain of the ServicePort, or what refuses or accepts traffic.

    A rule for whatever port no Service has at an address has no title, no protocol and port 0: all ServicePorts with
    that address have it, and it is written once.
    """

    dispatch_chain: DispatchChain
    title: str
    address: str
    protocol: Protocol | None
    port: int
    match: str
    target: str

    def line(self, chain: str) -> str:
        """The rule as it is written into a chain: the dispatch chain, or one below it in a tree."""
        return f"-A {chain} {self.match} -j {self.target}"


class Fragment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The chains (all in nat) and dispatch rules of one ServicePort.

    `endpoint_count` is the number of all its endpoints, ready or not: the size of the cluster is counted in those.
    `has_comments` is False where the cluster is so large that the rules per endpoint go without.
    """

    chains: tuple[tuple[str, Lines], ...] = ()
    dispatch_rules: tuple[DispatchRule, ...] = ()
    endpoint_count: int = 0
    has_comments: bool = True
