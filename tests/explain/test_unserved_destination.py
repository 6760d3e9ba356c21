"""A packet that no rule redirects is lost if its destination is for Services alone; nothing else is called lost."""

from typing import Any

import pytest

from pykubeproxy.explain.cause_words import cause_text
from pykubeproxy.explain.cluster_view import ClusterView
from pykubeproxy.explain.trace_causes import with_service_causes
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.snapshot import Object
from pykubeproxy.netfilter import Outcome, Verdict
from pykubeproxy.rules.parse import parse
from tests.builders import ip, service, snapshot
from tests.netfilter.asking import document, follow, only

OUTSIDE = {"source": "203.0.113.7"}


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
DUMP = {"nat": RULES, "filter": HEALTH}


def ending(
    address: str,
    port: int,
    *objects: Object,
    dump: dict[str, str] = DUMP,
    listening: tuple[int, ...] = (),
    **fields: Any,
) -> Outcome:
    """How a packet to an address and port ends, with the objects of a cluster if there are any."""
    found = follow(dump=dump, destination=address, destination_port=port, **fields)
    known = ClusterView(snapshot=snapshot(*objects), family=Family.IPV4, node_name="") if objects else None
    return only(with_service_causes(found, parse(document(**dump).splitlines()), known, listening))


LOST = {
    "another port of a cluster IP": (
        "10.96.0.10",
        81,
        "no Service has 81/tcp at 10.96.0.10, only 80/tcp (ns1/web:http)",
    ),
    "another protocol": ("10.100.1.2", 53, "no Service has 53/tcp at 10.100.1.2, only 53/udp (ns1/dns:dns)"),
    "another port of an external IP": (
        "192.0.2.7",
        81,
        "no Service has 81/tcp at 192.0.2.7, only 80/tcp (ns1/web:http)",
    ),
    "a cluster IP that nobody has": (
        "10.97.3.4",
        80,
        "no Service has 10.97.3.4, which is among the cluster IPs (10.96.0.0/13, by these rules)",
    ),
    "a node port that nobody has": (
        "10.0.0.1",
        30081,
        "no Service has node port 30081/tcp; the nearest: 30080/tcp (ns1/web:http), 30200/tcp (ns1/shop:http)",
    ),
    "a node port at another address": (
        "10.244.0.1",
        30080,
        "no rule redirects what comes for 30080/tcp (ns1/web:http) at 10.244.0.1",
    ),
}


@pytest.mark.parametrize(("address", "port", "why"), LOST.values(), ids=LOST.keys())
def test_lost(address: str, port: int, why: str) -> None:
    found = ending(address, port)
    assert (found.verdict, cause_text(found.cause).partition("; sent")[0].partition("; delivered")[0]) == (
        Verdict.LOST,
        why,
    )


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("10.96.0.10", 80),
        ("10.0.0.1", 30080),
        ("10.0.0.1", 22),
        ("10.0.0.1", 31000),
        ("10.98.0.5", 8080),
        ("10.104.0.9", 80),
        ("8.8.8.8", 53),
    ],
    ids=[
        "a Service",
        "a node port",
        "a port of the node",
        "a health check",
        "an endpoint",
        "beyond the cluster IPs",
        "somewhere else",
    ],
)
def test_not_lost(address: str, port: int) -> None:
    assert ending(address, port).verdict is Verdict.ACCEPT


def test_rules_that_are_not_reached() -> None:
    unreached = {"nat": RULES.replace("PREROUTING -j KUBE-SERVICES", "PREROUTING -p udp -j KUBE-SERVICES")}
    found = ending("10.96.0.10", 80, dump=unreached)
    assert found.verdict is Verdict.LOST
    assert cause_text(found.cause).startswith("no rule redirects what comes for 80/tcp (ns1/web:http) at 10.96.0.10;")


def test_somebody_listens_at_a_node_port_that_is_no_service_s() -> None:
    assert ending("10.0.0.1", 30081, listening=(30081,)).verdict is Verdict.ACCEPT
    assert ending("10.0.0.1", 30081, listening=(30082,)).verdict is Verdict.LOST


def test_an_external_ip_that_is_a_node_s_address() -> None:
    elsewhere = Node(name="node-b", addresses=(ip("192.0.2.7"),))
    found = ending("192.0.2.7", 22, elsewhere)
    assert found.verdict is Verdict.ACCEPT
    assert "no Service has 22/tcp at 192.0.2.7" in cause_text(found.cause)


def test_a_service_of_another_proxy_is_not_lost() -> None:
    theirs = service("ns1/theirs", cluster_ip="10.96.0.77", cluster_ips=("10.96.0.77",), has_foreign_proxy=True)
    ours = service("ns1/ours", cluster_ip="10.96.0.78", cluster_ips=("10.96.0.78",))
    assert ending("10.96.0.77", 80, theirs, ours).verdict is Verdict.ACCEPT
    found = ending("10.96.0.78", 80, theirs, ours)
    assert found.verdict is Verdict.LOST
    assert "10.96.0.78 belongs to ns1/ours; ns1/ours is in the cluster, but not in these rules" in cause_text(
        found.cause
    )


@pytest.mark.parametrize("first", ["10.96.0.10", "172.16.0.1"])
def test_which_addresses_are_cluster_ips_is_not_guessed(first: str) -> None:
    """default/kubernetes is at the first address of their network, which has no more than 20 bits for hosts."""
    dump = {"nat": RULES.replace("10.96.0.1/", f"{first}/")}
    assert ending("10.97.3.4", 80, dump=dump).verdict is Verdict.ACCEPT


def test_the_branches_of_the_tree_say_it_as_well() -> None:
    found = follow(dump=DUMP, destination="10.96.0.10", destination_port=81)
    tree = with_service_causes(found, parse(document(**DUMP).splitlines()), None).tree
    assert tree.result is not None
    assert tree.result.verdict is Verdict.LOST
