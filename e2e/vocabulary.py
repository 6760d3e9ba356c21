"""The words in which cases are written: who asks, what is asked, and what should come of it.

Pods named client-<node> only ask. `client` is a machine outside whose address the source ranges allow, `stranger` one
that they do not.
"""

from msgspec.structs import replace

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

Row = tuple[str, Origin, Target, Answers | Fails]
FAMILIES = (4, 6)


def pod(name: str) -> Origin:
    """A pod that asks."""
    return Origin(place=Place.POD, name=name)


def node(name: str) -> Origin:
    """A node that asks."""
    return Origin(place=Place.NODE, name=name)


POD_A = pod("client-node-a")
POD_B = pod("client-node-b")
POD_C = pod("client-node-c")
NODE_A = node("node-a")
NODE_B = node("node-b")
NODE_C = node("node-c")
CLIENT = Origin(place=Place.OUTSIDE, name="client")
STRANGER = Origin(place=Place.OUTSIDE, name="stranger")

CLUSTER_IP = Target(entrance=Entrance.CLUSTER_IP)
CLUSTER_IP_V6 = Target(entrance=Entrance.CLUSTER_IP, family=6)
VIRTUAL_IP = Target(entrance=Entrance.VIRTUAL_IP)
VIRTUAL_IP_V6 = Target(entrance=Entrance.VIRTUAL_IP, family=6)
EXTERNAL_IP = Target(entrance=Entrance.EXTERNAL_IP)
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


def named(port: str, target: Target = CLUSTER_IP) -> Target:
    """One of several ports of the cluster IP, or of another target."""
    return replace(target, port=port)


def by(*pods: str, client: ClientSeen = ClientSeen.ANY, sticky: bool = False) -> Answers:
    """All of these pods answer in turn, or with `sticky` always one of them."""
    return Answers(pods=frozenset(pods), client=client, sticky=sticky)


def own(*pods: str) -> Answers:
    """These pods answer, and see the client's own address."""
    return by(*pods, client=ClientSeen.OWN)


def masqueraded(*pods: str) -> Answers:
    """These pods answer, and see a node's address in place of the client's."""
    return by(*pods, client=ClientSeen.MASQUERADED)


def of(service: str, *rows: Row) -> tuple[Case, ...]:
    """The cases of one Service; a row says what it shows, who asks, what is asked, and what comes of it."""
    return tuple(
        Case(service=service, shows=shows, origin=origin, target=target, expect=expect)
        for shows, origin, target, expect in rows
    )


def of_both_families(service: str, *rows: Row) -> tuple[Case, ...]:
    """The cases of a dual-stack Service: every row once in IPv4 and once in IPv6."""
    return tuple(
        replace(case, shows=f"{case.shows}, IPv{family}", target=replace(case.target, family=family))
        for case in of(service, *rows)
        for family in FAMILIES
    )
