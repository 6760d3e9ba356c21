"""Why a packet is refused, in sentences; one that goes where only Services are, and is not redirected, is lost."""

from typing import Any

import pytest
from msgspec.structs import replace

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.trace_causes import with_service_causes
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.snapshot import Object
from pykubeproxy.netfilter import Outcome, Verdict
from pykubeproxy.rules.parse import parse
from tests.builders import ip, service, snapshot
from tests.netfilter.asking import INVALID, NODE, document, follow, only, reason_of

SERVICES = 'FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
EXTERNAL = "FORWARD -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES"
TO_PORT = "-d 10.96.0.1/32 -p tcp -m comment --comment"
NO_LOCAL = f'{TO_PORT} "ns/web:http has no local endpoints" -m tcp --dport 80 -j DROP'
REGION = f"-d 10.96.0.0/16 -j KUBE-EXT-10.96.0.0/16\nKUBE-EXT-10.96.0.0/16 {NO_LOCAL}"
LOCALNET = "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
POLICY = "Policy: Local and no endpoint on this node for ns/web:http"
RESET = "FORWARD -p tcp -j REJECT --reject-with tcp-reset"

# Rules of the table filter, what is special about the packet, and why it is refused. docs/troubleshooting.md has those
# that Services have for their own reasons.
REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    (f"{SERVICES}\nKUBE-SERVICES -p udp\n{EXTERNAL}\nKUBE-EXTERNAL-SERVICES {REGION}", {}, f"externalTraffic{POLICY}"),
    (f"FORWARD -j somewhere\nsomewhere {NO_LOCAL}", {}, f"traffic p{POLICY[1:]}"),
    (
        "FORWARD -p udp\nFORWARD -j MINE\nMINE -s 10.244.0.0/16 -j DROP",
        {},
        "dropped by rule 1 of chain MINE in table filter: -A MINE -s 10.244.0.0/16 -j DROP",
    ),
    (RESET, {}, f"rejected by rule 1 of chain FORWARD in table filter: -A {RESET}"),
    # Those that every node has.
    (
        f"INPUT -j KUBE-FIREWALL\nKUBE-FIREWALL {LOCALNET}",
        {"destination": "127.0.0.1"},
        "loopback addresses of this node must not be reached from elsewhere (KUBE-FIREWALL)",
    ),
    (
        "FORWARD -j KUBE-FIREWALL\nKUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP",
        {"mark": 0x8000},
        "the packet was marked to be dropped (KUBE-MARK-DROP, dropped in KUBE-FIREWALL)",
    ),
    (
        "FORWARD -j KUBE-FORWARD\nKUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
        {"ctstate": INVALID},
        "conntrack finds the packet INVALID: it belongs to no connection that is known here (KUBE-FORWARD)",
    ),
]


@pytest.mark.parametrize(("rules", "fields", "reason"), REFUSALS)
def test_refusals(rules: str, fields: dict[str, Any], reason: str) -> None:
    found = only(follow(dump={"filter": rules}, **fields))
    assert (found.verdict, reason_of(found)) == (Verdict.REJECT if "REJECT" in rules else Verdict.DROP, reason)


def to(kind: str, title: str, address: str, port: int = 80, protocol: str = "tcp") -> str:
    match = f'-d {address}/32 -p {protocol} -m comment --comment "{title} {kind}" -m {protocol} --dport {port}'
    return f"KUBE-SERVICES {match} -j KUBE-SVC-X"


def node_port(title: str, port: int) -> str:
    return f'KUBE-NODEPORTS -p tcp -m comment --comment "{title}" -m tcp --dport {port} -j KUBE-EXT-X'


RULES = "\n".join(
    [
        "PREROUTING -j KUBE-SERVICES",
        to("cluster IP", "default/kubernetes:https", "10.96.0.1", 443),
        to("cluster IP", "ns1/web:http", "10.96.0.10"),
        to("cluster IP", "ns1/dns:dns", "10.100.1.2", 53, "udp"),
        to("external IP", "ns1/web:http", "192.0.2.7"),
        "KUBE-SERVICES -m addrtype --dst-type LOCAL -d 10.0.0.1/32 -j KUBE-NODEPORTS",
        node_port("ns1/web:http", 30080),
        node_port("ns1/shop:http", 30200),
        "KUBE-SVC-X -j KUBE-SEP-X",
        'KUBE-SEP-X -p tcp -m comment --comment "ns1/web:http" -m tcp -j DNAT --to-destination 10.98.0.5:8080',
        "KUBE-EXT-X -j KUBE-SVC-X",
    ]
)
HEALTH = 'KUBE-NODEPORTS -p tcp -m comment --comment "ns1/lb health check node port" -m tcp --dport 31000 -j ACCEPT'


def ending(address: str, port: int, *objects: Object, rules: str = RULES, listening: tuple[int, ...] = ()) -> Outcome:
    """How a packet to an address and port ends, with the objects of a cluster if there are any."""
    dump = {"nat": rules, "filter": HEALTH}
    found = follow(dump=dump, destination=address, destination_port=port)
    known = ClusterView(snapshot=snapshot(*objects), family=Family.IPV4, node_name="") if objects else None
    return only(with_service_causes(found, parse(document(**dump).splitlines()), known, listening))


@pytest.mark.parametrize(
    ("address", "port", "why"),
    [
        ("10.100.1.2", 53, "no Service has 53/tcp at 10.100.1.2, only 53/udp (ns1/dns:dns)"),
        ("192.0.2.7", 81, "no Service has 81/tcp at 192.0.2.7, only 80/tcp (ns1/web:http)"),
        ("10.97.3.4", 80, "no Service has 10.97.3.4, which is among the cluster IPs (10.96.0.0/13, by these rules)"),
        (
            "10.0.0.1",
            30081,
            "no Service has node port 30081/tcp; the nearest: 30080/tcp (ns1/web:http), 30200/tcp (ns1/shop:http)",
        ),
        ("10.244.0.1", 30080, "no rule redirects what comes for 30080/tcp (ns1/web:http) at 10.244.0.1"),
    ],
)
def test_lost(address: str, port: int, why: str) -> None:
    found = ending(address, port, listening=(30082,))
    assert found.verdict is Verdict.LOST
    assert cause_text(found.cause).startswith((f"{why}; sent", f"{why}; delivered"))


NOT_LOST: dict[str, tuple[str, int, dict[str, Any]]] = {
    "Service": ("10.96.0.10", 80, {}),
    "node port": ("10.0.0.1", 30080, {}),
    "node's own": ("10.0.0.1", 22, {}),
    "node's own in the range of node ports": ("10.0.0.1", 30081, {"listening": (30081,)}),
    "health check": ("10.0.0.1", 31000, {}),
    "endpoint": ("10.98.0.5", 8080, {}),
    "beyond the cluster IPs": ("10.104.0.9", 80, {}),
    "elsewhere": ("8.8.8.8", 53, {}),
    # default/kubernetes is at the first of the cluster IPs, whose network has no more than 20 bits for hosts.
    **{
        f"cluster IPs are not told by {first}": ("10.97.3.4", 80, {"rules": RULES.replace("10.96.0.1/", f"{first}/")})
        for first in ("10.96.0.10", "172.16.0.1")
    },
}


@pytest.mark.parametrize(("address", "port", "fields"), NOT_LOST.values(), ids=NOT_LOST.keys())
def test_not_lost(address: str, port: int, fields: dict[str, Any]) -> None:
    assert ending(address, port, **fields).verdict is Verdict.ACCEPT


def test_an_external_ip_that_is_a_node_s_address() -> None:
    found = ending("192.0.2.7", 22, Node(name="node-b", addresses=(ip("192.0.2.7"),)))
    assert found.verdict is Verdict.ACCEPT
    assert "no Service has 22/tcp at 192.0.2.7" in cause_text(found.cause)


def test_a_service_of_another_proxy_is_not_lost() -> None:
    theirs = service("ns1/theirs", cluster_ip="10.96.0.77", cluster_ips=("10.96.0.77",), has_foreign_proxy=True)
    ours = service("ns1/ours", cluster_ip="10.96.0.78", cluster_ips=("10.96.0.78",))
    assert ending("10.96.0.77", 80, theirs, ours).verdict is Verdict.ACCEPT
    found = ending("10.96.0.78", 80, theirs, ours)
    assert found.verdict is Verdict.LOST
    told = "10.96.0.78 belongs to ns1/ours; ns1/ours is in the cluster, but not in these rules"
    assert told in cause_text(found.cause)


REFUSED = "; it would be refused anyway: no ready endpoints for ns1/none:http"
FIRST = "; rules would redirect it, but the kernel looks for a way before they see what this node itself sends"


@pytest.mark.parametrize(
    ("destination", "source", "why"),
    [
        ("10.96.0.80", "10.244.0.9", REFUSED),
        ("10.96.0.80", "10.0.0.1", REFUSED),
        ("10.96.0.10", "10.0.0.1", f"{FIRST}: a default route is enough"),
        ("10.98.0.9", "10.0.0.1", ""),
    ],
)
def test_a_service_to_which_there_is_no_route(destination: str, source: str, why: str) -> None:
    reject = '-d 10.96.0.80/32 -p tcp -m comment --comment "ns1/none:http has no endpoints" -m tcp --dport 80 -j REJECT'
    dump = {
        "nat": f"{RULES}\nOUTPUT -j KUBE-SERVICES",
        "filter": f"FORWARD -j KUBE-SERVICES\nOUTPUT -j KUBE-SERVICES\nKUBE-SERVICES {reject}",
    }
    asked: dict[str, Any] = {"destination": destination, "source": source, "from_node": source == "10.0.0.1"}
    found, if_routed = (follow(replace(NODE, routes=routes), dump=dump, **asked) for routes in ((), None))
    explained = with_service_causes(found, parse(document(**dump).splitlines()), None, (), if_routed)
    assert cause_text(only(explained).cause) == f"{destination} cannot be reached: there is no route to it{why}"


def test_the_branches_of_the_tree_say_it_as_well() -> None:
    found = follow(dump={"nat": RULES}, destination="10.96.0.10", destination_port=81)
    tree = with_service_causes(found, parse(document(nat=RULES).splitlines()), None).tree
    assert tree.result is not None
    assert tree.result.verdict is Verdict.LOST
