"""The settings of one node and family that change rules, each already decided.

Where a setting comes from (flags, Node object, interfaces) is not known here: `daemon.setup.rule_options` decides that.
"""

from enum import StrEnum

import msgspec

from pykubeproxy.model.ip import IP, Family


class Dispatch(StrEnum):
    """Layout of the chains that find a packet's Service."""

    LINEAR = "linear"
    TREE = "tree"


class RejectUnused(StrEnum):
    """At which addresses of Services connections to ports that no Service has there are refused."""

    NONE = "none"
    CLUSTER_IPS = "cluster-ips"
    ALL = "all"


class PodTraffic(msgspec.Struct, frozen=True):
    """How traffic from this node's own pods is told apart (`docs/reference/iptables-rules.md` section 11).

    Exactly one is set: `source`, a CIDR, or `interface`, an interface name (a prefix ends in `+`).
    """

    source: str = ""
    interface: str = ""

    @property
    def is_everything(self) -> bool:
        """True if every source counts as a pod of this node: 0.0.0.0/0, or ::/0."""
        return self.source.endswith("/0")


class RuleOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything besides Services and endpoints that rules, and what is decided with them, depend on.

    `pod_traffic` is None where pod traffic cannot be told apart. `node_port_addresses` is None if node ports answer on
    every local address, else the local addresses on which they do. `node_ip` is the node's own address of this family.
    `counts_localhost` if packets to node ports on 127.0.0.0/8 are counted, by a rule of their own. `reject_unused` has
    no effect with linear dispatch, whose chains are kube-proxy's. `end_established_tcp` changes no rule: it asks for
    the endpoints of TCP ports in `ServiceTraffic`.
    """

    family: Family
    node_name: str
    zone: str = ""
    node_ip: IP | None = None
    masquerade_bit: int = 14
    masquerade_all: bool = False
    pod_traffic: PodTraffic | None = None
    node_port_addresses: tuple[str, ...] | None = None
    localhost_node_ports: bool = True
    counts_localhost: bool = False
    external_ips: bool = True
    conntrack_tcp_liberal: bool = False
    random_fully: bool = True
    dispatch: Dispatch = Dispatch.LINEAR
    reject_unused: RejectUnused = RejectUnused.NONE
    end_established_tcp: bool = False

    @property
    def mark(self) -> str:
        """The mark of packets to be masqueraded, as iptables-save prints it: `0x4000`."""
        return f"0x{1 << self.masquerade_bit:x}"

    @property
    def programs_firewall_chain(self) -> bool:
        """True if KUBE-FIREWALL's content is ours: only where route_localnet opens 127.0.0.0/8 to the outside."""
        return self.family is Family.IPV4 and self.localhost_node_ports
