"""What a lab is made of, as frozen values; nothing here touches the machine.

The wire is one layer-2 network that joins all nodes, with a router on it. The outside lies behind that router and knows
node addresses and load balancer addresses, but nothing of pods and cluster IPs: as in most data centres.
"""

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from string import ascii_lowercase

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Protocol(StrEnum):
    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


class Listener(Struct, frozen=True, kw_only=True, order=True):
    protocol: Protocol
    port: int


class NodeSpec(Struct, frozen=True, kw_only=True):
    """A node: its addresses on the wire and its pods' networks, at most one of each per IP family."""

    name: str
    addresses: tuple[Address, ...]
    pod_networks: tuple[Network, ...]


class PodSpec(Struct, frozen=True, kw_only=True):
    """A pod: at most one address per IP family; without listeners it only asks and never answers."""

    name: str
    node: str
    addresses: tuple[Address, ...]
    listeners: tuple[Listener, ...] = ()


class OutsiderSpec(Struct, frozen=True, kw_only=True):
    """A machine outside the cluster, alone in its networks; the router holds the first address of each.

    With listeners it also answers, as pods do.
    """

    name: str
    addresses: tuple[Address, ...]
    networks: tuple[Network, ...]
    listeners: tuple[Listener, ...] = ()


class Topology(Struct, frozen=True, kw_only=True):
    """The whole lab. Every node and outsider needs a distinct name, every pod a node that exists."""

    nodes: tuple[NodeSpec, ...]
    pods: tuple[PodSpec, ...]
    outsiders: tuple[OutsiderSpec, ...]
    virtual_addresses: tuple[Address, ...] = ()
    """Load balancer addresses and external IPs: the router sends what is meant for them to the first node."""


WIRE_NETWORKS: tuple[Network, ...] = (ip_network("172.31.0.0/24"), ip_network("fd00:31::/64"))

CLIENT = OutsiderSpec(
    name="client",
    addresses=(ip_address("203.0.113.10"), ip_address("2001:db8:113::10")),
    networks=(ip_network("203.0.113.0/24"), ip_network("2001:db8:113::/64")),
)
STRANGER = OutsiderSpec(
    name="stranger",
    addresses=(ip_address("198.51.100.10"), ip_address("2001:db8:100::10")),
    networks=(ip_network("198.51.100.0/24"), ip_network("2001:db8:100::/64")),
)
OUTSIDERS = (CLIENT, STRANGER)


def gateway(network: Network) -> Address:
    """The first host address of a network: by custom its gateway."""
    return network[1]


def client_pod(node: NodeSpec) -> PodSpec:
    """The pod from which a node's questions are asked: host number 100 of each of the node's pod networks."""
    return PodSpec(
        name=f"client-{node.name}", node=node.name, addresses=tuple(network[100] for network in node.pod_networks)
    )


def node_spec(index: int) -> NodeSpec:
    """The node number `index`, from 0: node-a, node-b and so on, addressed by rule."""
    return NodeSpec(
        name=f"node-{ascii_lowercase[index]}",
        addresses=(ip_address(f"172.31.0.{11 + index}"), ip_address(f"fd00:31::{11 + index}")),
        pod_networks=(ip_network(f"10.244.{index}.0/24"), ip_network(f"fd00:10:244:{index}::/64")),
    )


def plain_topology(node_count: int = 2, pods_per_node: int = 1, listeners: tuple[Listener, ...] = ()) -> Topology:
    """A cluster without any Services in mind: nodes by rule, pods `pod-a-1`, `pod-a-2`, … and a client pod on each."""
    nodes = tuple(node_spec(index) for index in range(node_count))
    servers = tuple(
        PodSpec(
            name=f"{node.name.replace('node', 'pod')}-{number}",
            node=node.name,
            addresses=tuple(network[10 + number] for network in node.pod_networks),
            listeners=listeners,
        )
        for node in nodes
        for number in range(1, pods_per_node + 1)
    )
    return Topology(nodes=nodes, pods=servers + tuple(map(client_pod, nodes)), outsiders=OUTSIDERS)
