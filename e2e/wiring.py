"""Who is connected to whom: the interfaces, addresses, routes and switches of a lab's namespaces.

Every function configures namespaces that exist already and are still empty.
"""

from collections.abc import Iterator
from typing import TypeVar

from e2e.netns import SYSCTLS, Namespace
from e2e.topology import WIRE_NETWORKS, Address, Network, NodeSpec, OutsiderSpec, PodSpec, Topology, gateway

WIRE = "wire0"
POD_BRIDGE = "cni0"
UPLINK = "eth0"
BRIDGED = ("bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables")

Member = TypeVar("Member", Address, Network)


def set_up_router(router: Namespace) -> None:
    _forward(router)
    router.ip([*_bridge(WIRE, number=0), *(_assign(gateway(net), WIRE, net) for net in WIRE_NETWORKS)])


def connect_node(router: Namespace, node: Namespace, spec: NodeSpec, index: int, topology: Topology) -> None:
    """Plugs a node into the wire, gives it the bridge of its pods, and routes to the pods of all other nodes.

    The router learns the load balancer addresses that lead to this node; pods and cluster IPs it never hears of.
    """
    _forward(node)
    # br_netfilter, where the machine has it, as kubelet's installation guide asks.
    node.set_sysctls(1, [key for key in BRIDGED if (SYSCTLS / key).exists()])
    router.ip(
        [
            f"link add node{index} type veth peer name {UPLINK} netns {node.name}",
            f"link set node{index} master {WIRE} up",
            *(
                f"route add {address} via {_of_family(spec.addresses, address.version)}"
                for address in topology.virtual_addresses
                if spec == topology.nodes[0]
            ),
        ]
    )
    versions = [address.version for address in spec.addresses]
    node.ip(
        [
            *_bridge(POD_BRIDGE, number=index),
            *(_assign(gateway(net), POD_BRIDGE, net) for net in spec.pod_networks),
            *(_assign(address, UPLINK, _of_family(WIRE_NETWORKS, address.version)) for address in spec.addresses),
            f"link set {UPLINK} up",
            *(f"route add default via {gateway(_of_family(WIRE_NETWORKS, version))}" for version in versions),
            *(
                f"route add {net} via {_of_family(other.addresses, net.version)}"
                for other in topology.nodes
                if other.name != spec.name
                for net in other.pod_networks
            ),
        ]
    )


def connect_pod(node: Namespace, pod: Namespace, spec: PodSpec, index: int, networks: tuple[Network, ...]) -> None:
    """Plugs a pod into its node's bridge.

    Hairpin mode lets a pod reach itself through a Service. The pod sends even what is for its neighbours to the
    gateway, so that replies pass the node's connection tracking also on machines without the br_netfilter module.
    """
    pod.set_sysctls(0, ("ipv6/conf/all/accept_dad", "ipv6/conf/default/accept_dad"))
    pod.set_sysctls(0, ("ipv4/conf/all/accept_redirects", "ipv6/conf/default/accept_redirects"))
    port = f"pod{index}"
    node.ip(
        [
            f"link add {port} type veth peer name {UPLINK} netns {pod.name}",
            f"link set {port} master {POD_BRIDGE} up",
            f"link set {port} type bridge_slave hairpin on",
        ]
    )
    lines = [f"addr add {address} dev {UPLINK} {_usable_at_once(address)}" for address in spec.addresses]
    lines.append(f"link set {UPLINK} up")
    for address in spec.addresses:
        router = gateway(_of_family(networks, address.version))
        lines += (f"route add {router} dev {UPLINK}", f"route add default via {router} dev {UPLINK}")
    pod.ip(lines)


def connect_outsider(router: Namespace, outsider: Namespace, spec: OutsiderSpec, index: int) -> None:
    port = f"out{index}"
    router.ip(
        [
            f"link add {port} type veth peer name {UPLINK} netns {outsider.name}",
            *(_assign(gateway(net), port, net) for net in spec.networks),
            f"link set {port} up",
        ]
    )
    outsider.ip(
        [
            *(_assign(address, UPLINK, _of_family(spec.networks, address.version)) for address in spec.addresses),
            f"link set {UPLINK} up",
            *(f"route add default via {gateway(net)}" for net in spec.networks),
        ]
    )


def _forward(namespace: Namespace) -> None:
    """Makes a namespace a router that believes any source address and sends no redirects.

    Packets come in and go out through one bridge, so a redirect would teach pods a way around the node. Every refusal
    is reported: the kernel's habit of sending one client no more than one ICMP error a second would make cases wait for
    each other. The proxy's own settings (route_localnet) are left to the proxy.
    """
    ipv4, ipv6 = "ipv4/conf/{}/{}", "ipv6/conf/{}/{}"
    both = ("all", "default")
    off = [ipv4.format(which, key) for which in both for key in ("rp_filter", "send_redirects")]
    off += [ipv6.format(which, key) for which in both for key in ("accept_dad", "accept_ra", "disable_ipv6")]
    namespace.set_sysctls(0, [*off, "ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"])
    namespace.set_sysctls(1, ["ipv4/ip_forward", *(ipv6.format(which, "forwarding") for which in both)])


def _bridge(name: str, number: int) -> Iterator[str]:
    """A switch with a fixed hardware address: one that followed its ports would outdate its neighbours' ARP tables."""
    yield f"link add {name} address 02:00:00:00:00:{number + 1:02x} type bridge mcast_snooping 0"
    yield f"link set {name} up"


def _assign(address: Address, interface: str, network: Network) -> str:
    return f"addr add {address}/{network.prefixlen} dev {interface} {_usable_at_once(address)}"


def _usable_at_once(address: Address) -> str:
    """IPv6 normally waits a second to see whether anybody else has the address (RFC 4862, section 5.4)."""
    return "nodad" if address.version == 6 else ""


def _of_family(members: tuple[Member, ...], version: int) -> Member:
    return next(member for member in members if member.version == version)
