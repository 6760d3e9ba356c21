"""The cases: every Service of examples/, asked from pods, nodes and outside.

One definition for every kind of cluster in which they are run. Pods named client-<node> only ask. `client` is a machine
outside whose address the source ranges allow, `stranger` one that they do not. node-a is where load balancer addresses
lead to.
"""

from e2e.asking import Fate
from e2e.expectation import (
    Answers,
    Case,
    ClientSeen,
    Entrance,
    Fails,
    Origin,
    Place,
    Target,
)

POD_A = Origin(place=Place.POD, name="client-node-a")
POD_B = Origin(place=Place.POD, name="client-node-b")
NODE_A = Origin(place=Place.NODE, name="node-a")
NODE_B = Origin(place=Place.NODE, name="node-b")
CLIENT = Origin(place=Place.OUTSIDE, name="client")
STRANGER = Origin(place=Place.OUTSIDE, name="stranger")

CLUSTER_IP = Target(entrance=Entrance.CLUSTER_IP)
CLUSTER_IP_V6 = Target(entrance=Entrance.CLUSTER_IP, family=6)
VIRTUAL_IP = Target(entrance=Entrance.VIRTUAL_IP)
VIRTUAL_IP_V6 = Target(entrance=Entrance.VIRTUAL_IP, family=6)
LOCALHOST = Target(entrance=Entrance.LOCALHOST)

REFUSED = Fails(fate=Fate.REFUSED)
DROPPED = Fails(fate=Fate.DROPPED)
UNREACHABLE = Fails(fate=Fate.UNREACHABLE)


def node_port(node: str, family: int = 4) -> Target:
    """The Service's node port at the node's own address."""
    return Target(entrance=Entrance.NODE_PORT, at=node, family=family)


def pod_ip(pod: str) -> Target:
    """A pod itself, at the Service's target port."""
    return Target(entrance=Entrance.POD_IP, at=pod)


def named(port: str) -> Target:
    """One of several ports of the cluster IP."""
    return Target(entrance=Entrance.CLUSTER_IP, port=port)


def by(*pods: str, client: ClientSeen = ClientSeen.ANY, sticky: bool = False) -> Answers:
    """All of these pods answer in turn, or with `sticky` always one of them."""
    return Answers(pods=frozenset(pods), client=client, sticky=sticky)


def own(*pods: str) -> Answers:
    """These pods answer, and see the client's own address."""
    return by(*pods, client=ClientSeen.OWN)


def masqueraded(*pods: str) -> Answers:
    """These pods answer, and see a node's address in place of the client's."""
    return by(*pods, client=ClientSeen.MASQUERADED)


def _of(service: str, *rows: tuple[str, Origin, Target, Answers | Fails]) -> tuple[Case, ...]:
    return tuple(
        Case(service=service, shows=shows, origin=origin, target=target, expect=expect)
        for shows, origin, target, expect in rows
    )


WEB_1 = Origin(place=Place.POD, name="web-1")

CASES: tuple[Case, ...] = (
    *_of(
        "default/web",
        ("a pod reaches pods on both nodes", POD_A, CLUSTER_IP, own("web-1", "web-2", "web-3")),
        ("from the other node too", POD_B, CLUSTER_IP, own("web-1", "web-2", "web-3")),
        ("a pod reaches itself (hairpin)", WEB_1, CLUSTER_IP, by("web-1", "web-2", "web-3")),
        ("a node reaches pods", NODE_A, CLUSTER_IP, by("web-1", "web-2", "web-3")),
        ("cluster IPs lead nowhere outside", CLIENT, CLUSTER_IP, UNREACHABLE),
    ),
    *_of(
        "infra/dns",
        ("UDP", POD_A, named("dns"), own("dns-1", "dns-2")),
        ("UDP from a node", NODE_B, named("dns"), by("dns-1", "dns-2")),
        ("TCP on the same number", POD_B, named("dns-tcp"), own("dns-1", "dns-2")),
        ("TCP from a node", NODE_A, named("dns-tcp"), by("dns-1", "dns-2")),
        ("a port with its own endpoints", POD_B, named("metrics"), own("dns-1")),
        ("cluster IPs lead nowhere outside", CLIENT, named("dns"), UNREACHABLE),
    ),
    *_of(
        "default/guestbook",
        ("cluster IP from a pod", POD_A, CLUSTER_IP, own("web-1", "web-3")),
        ("node port from outside", CLIENT, node_port("node-a"), masqueraded("web-1", "web-3")),
        ("any node will do", CLIENT, node_port("node-b"), masqueraded("web-1", "web-3")),
        ("node port from a pod", POD_A, node_port("node-a"), masqueraded("web-1", "web-3")),
        ("node port of the other node", POD_A, node_port("node-b"), masqueraded("web-1", "web-3")),
        ("node port from the node itself", NODE_A, node_port("node-a"), by("web-1", "web-3")),
        ("node port on localhost", NODE_A, LOCALHOST, by("web-1", "web-3")),
    ),
    *_of(
        "default/store",
        ("load balancer from outside", CLIENT, VIRTUAL_IP, masqueraded("web-2", "web-3")),
        ("from a pod, never leaving the node", POD_B, VIRTUAL_IP, masqueraded("web-2", "web-3")),
        ("from a node", NODE_B, VIRTUAL_IP, by("web-2", "web-3")),
        ("its node port", CLIENT, node_port("node-b"), masqueraded("web-2", "web-3")),
        ("its cluster IP", POD_A, CLUSTER_IP, own("web-2", "web-3")),
    ),
    *_of(
        "default/office",
        ("a client in the source ranges", CLIENT, VIRTUAL_IP, masqueraded("web-1", "web-3")),
        ("a stranger", STRANGER, VIRTUAL_IP, DROPPED),
        ("a pod is not in the ranges either", POD_A, VIRTUAL_IP, DROPPED),
        ("nor is a node", NODE_B, VIRTUAL_IP, DROPPED),
        ("the cluster IP is not restricted", POD_A, CLUSTER_IP, own("web-1", "web-3")),
        ("nor is it for nodes", NODE_B, CLUSTER_IP, by("web-1", "web-3")),
    ),
    *_of(
        "default/database",
        ("headless: a pod on the same node", POD_A, pod_ip("database-0"), own("database-0")),
        ("headless: a pod elsewhere", POD_A, pod_ip("database-1"), own("database-1")),
        ("headless: from a node", NODE_B, pod_ip("database-0"), own("database-0")),
        ("pod IPs lead nowhere outside", CLIENT, pod_ip("database-0"), UNREACHABLE),
    ),
    *_of(
        "default/cart",
        ("always the same pod", POD_A, CLUSTER_IP, by("web-1", "web-2", "web-3", client=ClientSeen.OWN, sticky=True)),
        ("for a node too", NODE_A, CLUSTER_IP, by("web-1", "web-2", "web-3", sticky=True)),
        ("and from outside", CLIENT, node_port("node-b"), by("web-1", "web-2", "web-3", sticky=True)),
    ),
    *_of(
        "default/audit",
        ("local: the client's address is kept", CLIENT, node_port("node-a"), own("web-1", "web-2")),
        ("local: dropped where no endpoint is", CLIENT, node_port("node-b"), DROPPED),
        ("a pod may use all endpoints", POD_B, node_port("node-b"), own("web-1", "web-2")),
        ("a node too", NODE_B, node_port("node-b"), by("web-1", "web-2")),
        ("and the cluster IP", POD_B, CLUSTER_IP, own("web-1", "web-2")),
        ("cluster IP from the endpoints' node", NODE_A, CLUSTER_IP, masqueraded("web-1", "web-2")),
    ),
    *_of(
        "default/portal",
        ("IPv4 cluster IP", POD_A, CLUSTER_IP, own("web-1", "web-3")),
        ("IPv6 cluster IP", POD_A, CLUSTER_IP_V6, own("web-1", "web-3")),
        ("IPv6 from the other node", POD_B, CLUSTER_IP_V6, own("web-1", "web-3")),
        ("IPv6 hairpin", WEB_1, CLUSTER_IP_V6, by("web-1", "web-3")),
        ("IPv6 from a node", NODE_B, CLUSTER_IP_V6, by("web-1", "web-3")),
        ("IPv4 node port", CLIENT, node_port("node-a"), masqueraded("web-1", "web-3")),
        ("IPv6 node port", CLIENT, node_port("node-a", family=6), masqueraded("web-1", "web-3")),
        ("IPv4 load balancer", CLIENT, VIRTUAL_IP, masqueraded("web-1", "web-3")),
        ("IPv6 load balancer", CLIENT, VIRTUAL_IP_V6, masqueraded("web-1", "web-3")),
    ),
    *_of(
        "default/coming-soon",
        ("no endpoints: refused, not silent", POD_A, CLUSTER_IP, REFUSED),
        ("for nodes too", NODE_B, CLUSTER_IP, REFUSED),
        ("in IPv6 too", POD_B, CLUSTER_IP_V6, REFUSED),
        ("cluster IPs lead nowhere outside", CLIENT, CLUSTER_IP, UNREACHABLE),
    ),
)
