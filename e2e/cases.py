"""The cases, and the words in which they are written: what is asked from where, and what should come of it.

A case names addresses by their meaning ("the node port on node-b"), and whoever asks by name: a pod, a node, or a
machine outside. Pods named client-<node> only ask. `client` is a machine outside whose address the source ranges
allow, `stranger` one that they do not. There are the cases of examples/, and those of every kind of Service on three
nodes, in both IP families.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from e2e.asking import Fate

FAMILIES = (4, 6)


class Entrance(StrEnum):
    CLUSTER_IP = "cluster IP"
    NODE_PORT = "node port"
    LOCALHOST = "node port on localhost"
    VIRTUAL_IP = "load balancer"
    EXTERNAL_IP = "external IP"
    POD_IP = "pod IP"


class Target(Struct, frozen=True, kw_only=True):
    """What is asked: a Service's port through one of its entrances.

    `port` is the port's name, None for the Service's only port; `at` names a node port's node or a pod IP's pod.
    """

    entrance: Entrance
    at: str = ""
    port: str | None = None
    family: int = 4


class ClientSeen(StrEnum):
    """The client address that the server should see."""

    OWN = "the client's own"
    MASQUERADED = "a node's"
    ANY = "any"


class Expectation(Struct, frozen=True, kw_only=True):
    """Every one of these pods answers, and no other; with `sticky`, always the same one of them. Or another fate."""

    fate: Fate = Fate.ANSWERED
    pods: frozenset[str] = frozenset()
    client: ClientSeen = ClientSeen.ANY
    sticky: bool = False


class Case(Struct, frozen=True, kw_only=True):
    """One test case; `service` is `namespace/name`, `shows` says in a few words what it proves."""

    service: str
    shows: str
    origin: str
    target: Target
    expect: Expectation

    def __str__(self) -> str:
        return f"{self.service}: {self.shows}"


CLIENT, STRANGER = "client", "stranger"
NODE_A, NODE_B, NODE_C = NODES = ("node-a", "node-b", "node-c")
POD_A, POD_B, POD_C = (f"client-{node}" for node in NODES)

CLUSTER_IP = Target(entrance=Entrance.CLUSTER_IP)
CLUSTER_IP_V6 = Target(entrance=Entrance.CLUSTER_IP, family=6)
VIRTUAL_IP = Target(entrance=Entrance.VIRTUAL_IP)
VIRTUAL_IP_V6 = Target(entrance=Entrance.VIRTUAL_IP, family=6)
EXTERNAL_IP = Target(entrance=Entrance.EXTERNAL_IP)
LOCALHOST = Target(entrance=Entrance.LOCALHOST)

REFUSED = Expectation(fate=Fate.REFUSED)
DROPPED = Expectation(fate=Fate.DROPPED)
UNREACHABLE = Expectation(fate=Fate.UNREACHABLE)


def node_port(node: str, family: int = 4) -> Target:
    """The Service's node port at the node's own address."""
    return Target(entrance=Entrance.NODE_PORT, at=node, family=family)


def pod_ip(pod: str) -> Target:
    return Target(entrance=Entrance.POD_IP, at=pod)


def named(port: str, target: Target = CLUSTER_IP) -> Target:
    return replace(target, port=port)


def by(*pods: str, client: ClientSeen = ClientSeen.ANY, sticky: bool = False) -> Expectation:
    """All of these pods answer in turn, or with `sticky` always one of them."""
    return Expectation(pods=frozenset(pods), client=client, sticky=sticky)


def own(*pods: str, sticky: bool = False) -> Expectation:
    """These pods answer, and see the client's own address."""
    return by(*pods, client=ClientSeen.OWN, sticky=sticky)


def masqueraded(*pods: str) -> Expectation:
    """These pods answer, and see a node's address in place of the client's."""
    return by(*pods, client=ClientSeen.MASQUERADED)


def of(service: str, *rows: tuple[str, str, Target, Expectation]) -> list[Case]:
    """The cases of one Service; a row says what it shows, who asks, what is asked, and what comes of it."""
    return [
        Case(service=service, shows=shows, origin=origin, target=target, expect=expect)
        for shows, origin, target, expect in rows
    ]


def of_both_families(service: str, *rows: tuple[str, str, Target, Expectation]) -> list[Case]:
    """The cases of a dual-stack Service: every row once in IPv4 and once in IPv6."""
    return [
        replace(case, shows=f"{case.shows}, IPv{family}", target=replace(case.target, family=family))
        for case in of(service, *rows)
        for family in FAMILIES
    ]


WEB_1 = "web-1"

EXAMPLE_CASES: tuple[Case, ...] = (
    # node-a is where load balancer addresses lead to.
    *of(
        "default/web",
        ("a pod reaches pods on both nodes", POD_A, CLUSTER_IP, own("web-1", "web-2", "web-3")),
        ("a pod reaches itself (hairpin)", WEB_1, CLUSTER_IP, by("web-1", "web-2", "web-3")),
        ("a node reaches pods", NODE_A, CLUSTER_IP, by("web-1", "web-2", "web-3")),
        ("cluster IPs lead nowhere outside", CLIENT, CLUSTER_IP, UNREACHABLE),
    ),
    *of(
        "infra/dns",
        ("UDP", POD_A, named("dns"), own("dns-1", "dns-2")),
        ("TCP on the same number", POD_B, named("dns-tcp"), own("dns-1", "dns-2")),
        ("a port with its own endpoints", POD_B, named("metrics"), own("dns-1")),
    ),
    *of(
        "default/guestbook",
        ("cluster IP from a pod", POD_A, CLUSTER_IP, own("web-1", "web-3")),
        ("node port from outside", CLIENT, node_port("node-a"), masqueraded("web-1", "web-3")),
        ("any node will do", CLIENT, node_port("node-b"), masqueraded("web-1", "web-3")),
        ("node port from a pod", POD_A, node_port("node-a"), masqueraded("web-1", "web-3")),
        ("node port from the node itself", NODE_A, node_port("node-a"), by("web-1", "web-3")),
        ("node port on localhost", NODE_A, LOCALHOST, by("web-1", "web-3")),
    ),
    *of(
        "default/store",
        ("load balancer from outside", CLIENT, VIRTUAL_IP, masqueraded("web-2", "web-3")),
        ("from a pod, never leaving the node", POD_B, VIRTUAL_IP, masqueraded("web-2", "web-3")),
        ("from a node", NODE_B, VIRTUAL_IP, by("web-2", "web-3")),
    ),
    *of(
        "default/office",
        ("a client in the source ranges", CLIENT, VIRTUAL_IP, masqueraded("web-1", "web-3")),
        ("a stranger", STRANGER, VIRTUAL_IP, DROPPED),
        ("a pod is not in the ranges either", POD_A, VIRTUAL_IP, DROPPED),
        ("nor is a node", NODE_B, VIRTUAL_IP, DROPPED),
        ("the cluster IP is not restricted", POD_A, CLUSTER_IP, own("web-1", "web-3")),
        ("nor is it for nodes", NODE_B, CLUSTER_IP, by("web-1", "web-3")),
    ),
    *of(
        "default/database",
        ("headless: a pod on the same node", POD_A, pod_ip("database-0"), own("database-0")),
        ("headless: a pod elsewhere", POD_A, pod_ip("database-1"), own("database-1")),
        ("pod IPs lead nowhere outside", CLIENT, pod_ip("database-0"), UNREACHABLE),
    ),
    *of(
        "default/cart",
        ("always the same pod", POD_A, CLUSTER_IP, own("web-1", "web-2", "web-3", sticky=True)),
        ("and from outside", CLIENT, node_port("node-b"), by("web-1", "web-2", "web-3", sticky=True)),
    ),
    *of(
        "default/audit",
        ("local: the client's address is kept", CLIENT, node_port("node-a"), own("web-1", "web-2")),
        ("local: dropped where no endpoint is", CLIENT, node_port("node-b"), DROPPED),
        ("a pod may use all endpoints", POD_B, node_port("node-b"), own("web-1", "web-2")),
        ("and the cluster IP", POD_B, CLUSTER_IP, own("web-1", "web-2")),
        ("cluster IP from the endpoints' node", NODE_A, CLUSTER_IP, masqueraded("web-1", "web-2")),
    ),
    *of(
        "default/portal",
        ("IPv4 cluster IP", POD_A, CLUSTER_IP, own("web-1", "web-3")),
        ("IPv6 cluster IP", POD_A, CLUSTER_IP_V6, own("web-1", "web-3")),
        ("IPv6 hairpin", WEB_1, CLUSTER_IP_V6, by("web-1", "web-3")),
        ("IPv6 from a node", NODE_B, CLUSTER_IP_V6, by("web-1", "web-3")),
        ("IPv4 node port", CLIENT, node_port("node-a"), masqueraded("web-1", "web-3")),
        ("IPv6 node port", CLIENT, node_port("node-a", family=6), masqueraded("web-1", "web-3")),
        ("IPv4 load balancer", CLIENT, VIRTUAL_IP, masqueraded("web-1", "web-3")),
        ("IPv6 load balancer", CLIENT, VIRTUAL_IP_V6, masqueraded("web-1", "web-3")),
    ),
    *of(
        "default/coming-soon",
        ("no endpoints: refused, not silent", POD_A, CLUSTER_IP, REFUSED),
        ("for nodes too", NODE_B, CLUSTER_IP, REFUSED),
        ("in IPv6 too", POD_B, CLUSTER_IP_V6, REFUSED),
    ),
)

HTTP, DNS = named("http"), named("dns")
ALL = ("a1", "a2", "b1", "c1")

CASES: tuple[Case, ...] = (
    # A pod's name begins with its node's letter. client-node-a has endpoints of most Services beside it, others not.
    *of_both_families(
        "default/web",
        ("a pod reaches pods beside it and elsewhere", POD_A, HTTP, own(*ALL)),
        ("a pod reaches itself and others", "c1", HTTP, by(*ALL)),
        ("a node", NODE_B, HTTP, by(*ALL)),
        ("UDP from a pod", POD_B, DNS, own(*ALL)),
        ("cluster IPs lead nowhere outside", CLIENT, HTTP, UNREACHABLE),
    ),
    *of_both_families(
        "default/several",
        ("UDP", POD_B, DNS, own("a1", "c1")),
        ("TCP on the number of UDP", POD_B, named("dns-tcp"), own("a1", "c1")),
        ("a port with its own endpoints", POD_C, named("admin"), own("b1")),
    ),
    *of_both_families(
        "default/shop",
        *(
            (f"from outside, at {node}", CLIENT, named("http", node_port(node)), masqueraded("a1", "b1"))
            for node in NODES
        ),
        ("a pod at its own node", POD_A, named("http", node_port("node-a")), masqueraded("a1", "b1")),
        ("a node at itself", NODE_C, named("http", node_port("node-c")), by("a1", "b1")),
    ),
    *of(
        "default/shop",
        ("a node without endpoints at localhost", NODE_C, named("http", LOCALHOST), by("a1", "b1")),
    ),
    *of_both_families(
        "default/store",
        ("from outside", CLIENT, named("http", VIRTUAL_IP), masqueraded("a2", "c1")),
        ("from a pod, never leaving the node", POD_B, named("http", VIRTUAL_IP), masqueraded("a2", "c1")),
        ("from a node", NODE_B, named("http", VIRTUAL_IP), by("a2", "c1")),
    ),
    *of_both_families(
        "default/office",
        ("a client within them", CLIENT, named("http", VIRTUAL_IP), masqueraded("a1", "b1")),
        ("a stranger", STRANGER, named("http", VIRTUAL_IP), DROPPED),
        ("a pod is not in them either", POD_A, named("http", VIRTUAL_IP), DROPPED),
        ("nor is a node", NODE_B, named("http", VIRTUAL_IP), DROPPED),
        ("node ports are not restricted", STRANGER, named("http", node_port("node-a")), masqueraded("a1", "b1")),
        ("nor are cluster IPs", POD_A, HTTP, own("a1", "b1")),
    ),
    *of_both_families(
        "default/proxied",
        ("a node asks the load balancer itself", NODE_A, VIRTUAL_IP, own("balancer")),
        ("from outside", CLIENT, VIRTUAL_IP, own("balancer")),
    ),
    *of_both_families(
        "default/branch",
        ("from outside", CLIENT, named("http", EXTERNAL_IP), masqueraded("b1", "c1")),
        ("from a pod", POD_A, named("http", EXTERNAL_IP), masqueraded("b1", "c1")),
        ("from a node", NODE_C, named("http", EXTERNAL_IP), by("b1", "c1")),
    ),
    *of_both_families(
        "default/audit",
        ("the client's address is kept", CLIENT, named("http", node_port("node-a")), own("a1", "a2")),
        ("at the load balancer", CLIENT, named("http", VIRTUAL_IP), own("a1", "a2")),
        ("dropped where no endpoint is", CLIENT, named("http", node_port("node-c")), DROPPED),
        ("a pod may use all endpoints", POD_C, named("http", node_port("node-c")), own("a1", "a2", "b1")),
        ("a pod at the load balancer", POD_B, named("http", VIRTUAL_IP), own("a1", "a2", "b1")),
        ("a node without endpoints", NODE_C, named("http", node_port("node-c")), by("a1", "a2", "b1")),
    ),
    *of_both_families(
        "default/agent",
        ("a pod reaches only its own node's", POD_A, HTTP, own("a1")),
        ("a node", NODE_B, HTTP, by("b1")),
        ("dropped where no endpoint is", POD_C, HTTP, DROPPED),
        ("the outside may use all endpoints", CLIENT, named("http", node_port("node-c")), masqueraded("a1", "b1")),
    ),
    *of_both_families(
        "default/cart",
        ("always the same pod", POD_A, HTTP, own(*ALL, sticky=True)),
        ("for a node too", NODE_C, HTTP, by(*ALL, sticky=True)),
        ("and from outside", CLIENT, named("http", node_port("node-b")), by(*ALL, sticky=True)),
    ),
    *of_both_families(
        "default/alone",
        ("a pod reaches itself, masqueraded", "b1", HTTP, masqueraded("b1")),
        ("by its node's port", "b1", named("http", node_port("node-b")), masqueraded("b1")),
        ("others keep their address", POD_B, HTTP, own("b1")),
    ),
    *of_both_families(
        "default/zonal",
        ("a pod stays in its zone", POD_A, HTTP, own("a1", "b1")),
        ("a node stays in its zone", NODE_C, HTTP, by("c1")),
        ("a node port stays in the node's", CLIENT, node_port("node-c"), masqueraded("c1")),
    ),
    *of_both_families(
        "default/nearby",
        ("a pod stays on its node", POD_A, HTTP, own("a1")),
        ("a node", NODE_B, HTTP, by("b1")),
    ),
    *of_both_families(
        "default/soon",
        ("a pod is refused", POD_A, HTTP, REFUSED),
        ("UDP as well", POD_B, DNS, REFUSED),
        ("a node", NODE_C, HTTP, REFUSED),
        ("at a node port", CLIENT, named("http", node_port("node-b")), REFUSED),
        ("at an external IP", CLIENT, named("http", EXTERNAL_IP), REFUSED),
    ),
    *of_both_families(
        "default/crowd",
        ("forty endpoints a pod", POD_A, HTTP, own(*ALL)),
        ("from a node", NODE_C, HTTP, by(*ALL)),
    ),
)
