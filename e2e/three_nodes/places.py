"""Who is there: three nodes, four pods that answer, and outside a client, a stranger and a load balancer."""

from ipaddress import ip_address, ip_network

from e2e.making import Member, node
from e2e.topology import OutsiderSpec, PodSpec, node_spec

NODES = tuple(map(node_spec, range(3)))
ZONES = {"node-a": "zone-1", "node-b": "zone-1", "node-c": "zone-2"}
NODE_OBJECTS = tuple(node(spec, ZONES[spec.name]) for spec in NODES)

BALANCER = OutsiderSpec(
    name="balancer",
    addresses=(ip_address("192.0.2.130"), ip_address("2001:db8:2:1::130")),
    networks=(ip_network("192.0.2.128/28"), ip_network("2001:db8:2:1::/64")),
)
"""A load balancer that is a machine of its own, not an address that leads to nodes."""


def _pod(name: str, home: int, number: int) -> PodSpec:
    spec = NODES[home]
    return PodSpec(name=name, node=spec.name, addresses=tuple(network[number] for network in spec.pod_networks))


PODS = {pod.name: pod for pod in (_pod("a1", 0, 11), _pod("a2", 0, 12), _pod("b1", 1, 11), _pod("c1", 2, 11))}
"""The pods, named for their nodes; which ports they serve is told by the Services."""


def members(*names: str) -> tuple[Member, ...]:
    """These pods as endpoints that are ready."""
    return tuple(Member(pod=PODS[name]) for name in names)
