"""The cases on three nodes: every kind of Service, in both IP families, from pods, nodes and outside.

A pod's name begins with its node's letter. client-node-a has endpoints of most Services beside it, others elsewhere.
"""

from e2e.expectation import Case, ClientSeen
from e2e.vocabulary import (
    CLIENT,
    CLUSTER_IP,
    DROPPED,
    EXTERNAL_IP,
    LOCALHOST,
    NODE_A,
    NODE_B,
    NODE_C,
    POD_A,
    POD_B,
    POD_C,
    REFUSED,
    STRANGER,
    UNREACHABLE,
    VIRTUAL_IP,
    by,
    masqueraded,
    named,
    node_port,
    of,
    of_both_families,
    own,
    pod,
    pod_ip,
)

HTTP, DNS = named("http"), named("dns")
ALL = ("a1", "a2", "b1", "c1")
NODES = ("node-a", "node-b", "node-c")

CLUSTER_IPS = of_both_families(
    "default/web",
    ("a pod reaches pods beside it and elsewhere", POD_A, HTTP, own(*ALL)),
    ("a pod with one endpoint beside it", POD_C, HTTP, own(*ALL)),
    ("a pod reaches itself and others", pod("c1"), HTTP, by(*ALL)),
    ("a node", NODE_B, HTTP, by(*ALL)),
    ("UDP from a pod", POD_B, DNS, own(*ALL)),
    ("UDP from a node", NODE_C, DNS, by(*ALL)),
    ("cluster IPs lead nowhere outside", CLIENT, HTTP, UNREACHABLE),
)

SEVERAL_PORTS = of_both_families(
    "default/several",
    ("HTTP", POD_A, HTTP, own("a1", "c1")),
    ("UDP", POD_B, DNS, own("a1", "c1")),
    ("TCP on the number of UDP", POD_B, named("dns-tcp"), own("a1", "c1")),
    ("a port with its own endpoints", POD_C, named("admin"), own("b1")),
    ("a port from a node", NODE_A, named("admin"), by("b1")),
    ("UDP from a node", NODE_B, DNS, by("a1", "c1")),
    ("cluster IPs lead nowhere outside", STRANGER, DNS, UNREACHABLE),
)

HEADLESS = of_both_families(
    "default/database",
    ("a pod reaches the pod beside it", POD_A, pod_ip("a1"), own("a1")),
    ("a pod elsewhere", POD_A, pod_ip("c1"), own("c1")),
    ("from a node", NODE_B, pod_ip("c1"), own("c1")),
    ("pod IPs lead nowhere outside", CLIENT, pod_ip("a1"), UNREACHABLE),
)

NODE_PORTS = of_both_families(
    "default/shop",
    *((f"from outside, at {node}", CLIENT, named("http", node_port(node)), masqueraded("a1", "b1")) for node in NODES),
    *(
        (f"UDP from outside, at {node}", STRANGER, named("dns", node_port(node)), masqueraded("a1", "b1"))
        for node in NODES
    ),
    ("a pod at its own node", POD_A, named("http", node_port("node-a")), masqueraded("a1", "b1")),
    ("a pod at another node", POD_B, named("http", node_port("node-c")), masqueraded("a1", "b1")),
    ("a node at itself", NODE_C, named("http", node_port("node-c")), by("a1", "b1")),
    ("a node at another node", NODE_C, named("http", node_port("node-a")), by("a1", "b1")),
    ("the cluster IP as well", POD_C, HTTP, own("a1", "b1")),
) + of(
    "default/shop",
    ("a node at localhost", NODE_A, named("http", LOCALHOST), by("a1", "b1")),
    ("a node without endpoints at localhost", NODE_C, named("http", LOCALHOST), by("a1", "b1")),
)

BALANCERS = of_both_families(
    "default/store",
    ("from outside", CLIENT, named("http", VIRTUAL_IP), masqueraded("a2", "c1")),
    ("UDP from outside", CLIENT, named("dns", VIRTUAL_IP), masqueraded("a2", "c1")),
    ("from a pod, never leaving the node", POD_B, named("http", VIRTUAL_IP), masqueraded("a2", "c1")),
    ("UDP from a pod", POD_C, named("dns", VIRTUAL_IP), masqueraded("a2", "c1")),
    ("from a node", NODE_B, named("http", VIRTUAL_IP), by("a2", "c1")),
    ("its node port", STRANGER, named("http", node_port("node-b")), masqueraded("a2", "c1")),
)

SOURCE_RANGES = of_both_families(
    "default/office",
    ("a client within them", CLIENT, named("http", VIRTUAL_IP), masqueraded("a1", "b1")),
    ("UDP within them", CLIENT, named("dns", VIRTUAL_IP), masqueraded("a1", "b1")),
    ("a stranger", STRANGER, named("http", VIRTUAL_IP), DROPPED),
    ("a stranger's UDP", STRANGER, named("dns", VIRTUAL_IP), DROPPED),
    ("a pod is not in them either", POD_A, named("http", VIRTUAL_IP), DROPPED),
    ("nor is a node", NODE_B, named("http", VIRTUAL_IP), DROPPED),
    ("node ports are not restricted", STRANGER, named("http", node_port("node-a")), masqueraded("a1", "b1")),
    ("nor are cluster IPs", POD_A, HTTP, own("a1", "b1")),
)

PROXIED = of_both_families(
    "default/proxied",
    ("a node asks the load balancer itself", NODE_A, VIRTUAL_IP, by("balancer", client=ClientSeen.OWN)),
    ("from another node", NODE_C, VIRTUAL_IP, by("balancer", client=ClientSeen.OWN)),
    ("from outside", CLIENT, VIRTUAL_IP, own("balancer")),
    ("which asks a node port", CLIENT, node_port("node-c"), masqueraded("a1", "b1")),
    ("the cluster IP as well", POD_B, CLUSTER_IP, own("a1", "b1")),
)

EXTERNAL_IPS = of_both_families(
    "default/branch",
    ("from outside", CLIENT, named("http", EXTERNAL_IP), masqueraded("b1", "c1")),
    ("UDP from outside", STRANGER, named("dns", EXTERNAL_IP), masqueraded("b1", "c1")),
    ("from a pod", POD_A, named("http", EXTERNAL_IP), masqueraded("b1", "c1")),
    ("from a node", NODE_C, named("http", EXTERNAL_IP), by("b1", "c1")),
)

EXTERNAL_LOCAL = of_both_families(
    "default/audit",
    ("the client's address is kept", CLIENT, named("http", node_port("node-a")), own("a1", "a2")),
    ("at another node", STRANGER, named("http", node_port("node-b")), own("b1")),
    ("UDP", CLIENT, named("dns", node_port("node-a")), own("a1", "a2")),
    ("at the load balancer", CLIENT, named("http", VIRTUAL_IP), own("a1", "a2")),
    ("dropped where no endpoint is", CLIENT, named("http", node_port("node-c")), DROPPED),
    ("UDP dropped there", CLIENT, named("dns", node_port("node-c")), DROPPED),
    ("a pod may use all endpoints", POD_C, named("http", node_port("node-c")), own("a1", "a2", "b1")),
    ("a pod at the load balancer", POD_B, named("http", VIRTUAL_IP), own("a1", "a2", "b1")),
    ("a node without endpoints", NODE_C, named("http", node_port("node-c")), by("a1", "a2", "b1")),
    ("the cluster IP is not restricted", POD_C, HTTP, own("a1", "a2", "b1")),
)

INTERNAL_LOCAL = of_both_families(
    "default/agent",
    ("a pod reaches only its own node's", POD_A, HTTP, own("a1")),
    ("on another node too", POD_B, HTTP, own("b1")),
    ("UDP", POD_B, DNS, own("b1")),
    ("a node", NODE_B, HTTP, by("b1")),
    ("dropped where no endpoint is", POD_C, HTTP, DROPPED),
    ("UDP dropped there", POD_C, DNS, DROPPED),
    ("for the node too", NODE_C, HTTP, DROPPED),
    ("the outside may use all endpoints", CLIENT, named("http", node_port("node-c")), masqueraded("a1", "b1")),
)

AFFINITY = of_both_families(
    "default/cart",
    ("always the same pod", POD_A, HTTP, by(*ALL, client=ClientSeen.OWN, sticky=True)),
    ("UDP", POD_B, DNS, by(*ALL, client=ClientSeen.OWN, sticky=True)),
    ("for a node too", NODE_C, HTTP, by(*ALL, sticky=True)),
    ("and from outside", CLIENT, named("http", node_port("node-b")), by(*ALL, sticky=True)),
)

HAIRPIN = of_both_families(
    "default/alone",
    ("a pod reaches itself, masqueraded", pod("b1"), HTTP, masqueraded("b1")),
    ("by UDP", pod("b1"), DNS, masqueraded("b1")),
    ("by its node's port", pod("b1"), named("http", node_port("node-b")), masqueraded("b1")),
    ("by another node's port", pod("b1"), named("http", node_port("node-c")), masqueraded("b1")),
    ("others keep their address", POD_B, HTTP, own("b1")),
    ("a node", NODE_B, HTTP, by("b1")),
    ("from outside", CLIENT, named("http", node_port("node-b")), masqueraded("b1")),
)

ZONES = of_both_families(
    "default/zonal",
    ("a pod stays in its zone", POD_A, HTTP, own("a1", "b1")),
    ("on the zone's other node", POD_B, HTTP, own("a1", "b1")),
    ("in the other zone", POD_C, HTTP, own("c1")),
    ("a node stays in its zone", NODE_C, HTTP, by("c1")),
    ("a node port stays in the node's", CLIENT, node_port("node-c"), masqueraded("c1")),
)

SAME_NODE = of_both_families(
    "default/nearby",
    ("a pod stays on its node", POD_A, HTTP, own("a1")),
    ("on another node", POD_B, HTTP, own("b1")),
    ("in another zone", POD_C, HTTP, own("c1")),
    ("a node", NODE_B, HTTP, by("b1")),
    ("cluster IPs lead nowhere outside", CLIENT, HTTP, UNREACHABLE),
)

NO_ENDPOINTS = of_both_families(
    "default/soon",
    ("a pod is refused", POD_A, HTTP, REFUSED),
    ("UDP as well", POD_B, DNS, REFUSED),
    ("a node", NODE_C, HTTP, REFUSED),
    ("a node's UDP", NODE_A, DNS, REFUSED),
    ("at a node port", CLIENT, named("http", node_port("node-b")), REFUSED),
    ("UDP at a node port", CLIENT, named("dns", node_port("node-c")), REFUSED),
    ("at the load balancer", STRANGER, named("http", VIRTUAL_IP), REFUSED),
    ("a pod at the load balancer", POD_C, named("http", VIRTUAL_IP), REFUSED),
    ("at an external IP", CLIENT, named("http", EXTERNAL_IP), REFUSED),
)

SCTP = of_both_families(
    "default/stream",
    ("a pod", POD_A, HTTP, own("a1", "c1")),
    ("a pod elsewhere", POD_B, HTTP, own("a1", "c1")),
    ("a node", NODE_B, HTTP, by("a1", "c1")),
    ("from outside", CLIENT, node_port("node-b"), masqueraded("a1", "c1")),
)

CROWD = of_both_families(
    "default/crowd",
    ("forty endpoints a pod", POD_A, HTTP, own(*ALL)),
    ("from a node", NODE_C, HTTP, by(*ALL)),
    ("cluster IPs lead nowhere outside", CLIENT, HTTP, UNREACHABLE),
)

CASES: tuple[Case, ...] = (
    *CLUSTER_IPS,
    *SEVERAL_PORTS,
    *HEADLESS,
    *NODE_PORTS,
    *BALANCERS,
    *SOURCE_RANGES,
    *PROXIED,
    *EXTERNAL_IPS,
    *EXTERNAL_LOCAL,
    *INTERNAL_LOCAL,
    *AFFINITY,
    *HAIRPIN,
    *ZONES,
    *SAME_NODE,
    *NO_ENDPOINTS,
    *SCTP,
    *CROWD,
)
