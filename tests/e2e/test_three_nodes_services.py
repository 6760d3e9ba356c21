"""Services that change: ports, type, health checks, topology."""

from typing import Any

import msgspec
from msgspec import Struct

from e2e.making import Member, port, service
from e2e.netns import Namespace
from e2e.three_nodes.exposed import exposed
from e2e.three_nodes.places import PODS, ZONES, members
from e2e.three_nodes.services import DNS, HEALTH_PORT, HTTP
from e2e.vocabulary import CLIENT, CLUSTER_IP, CLUSTER_IP_V6, NODE_B, POD_A, POD_B, POD_C, REFUSED, named, node_port
from tests.e2e.combinations import ThreeNodes, needs_a_lab, on_both_tools_and_layouts

pytestmark = [needs_a_lab, on_both_tools_and_layouts]

A1, A2, B1, C1 = members("a1", "a2", "b1", "c1")


def test_a_service_changes_its_ports_and_its_type(three_nodes: ThreeNodes) -> None:
    asker = three_nodes.asker
    made = service("changing", 130, port(80, HTTP, node_port=30081), type="NodePort")
    with exposed(three_nodes.cluster, made, A1) as changing:
        before = [(POD_B, changing.at(CLUSTER_IP)), (CLIENT, changing.at(node_port("node-c", 6)))]
        asker.until_all(before, ["a1"])
        changing.change(ports=[port(81, HTTP, node_port=30082)])
        after = [(POD_B, changing.at(CLUSTER_IP)), (CLIENT, changing.at(node_port("node-c", 6)))]
        asker.until_all(after, ["a1"])
        asker.until_all(before[1:], [REFUSED.fate])
        changing.change(type="ClusterIP", ports=[port(81, HTTP)])
        asker.until_all(after[1:], [REFUSED.fate])
        asker.until_all(after[:1], ["a1"])


def test_a_service_gains_and_loses_a_port_of_another_protocol(three_nodes: ThreeNodes) -> None:
    http, dns = port(80, HTTP), port(80, DNS, name="dns", protocol="UDP")
    with exposed(three_nodes.cluster, service("gaining", 131, http), B1) as gaining:
        three_nodes.asker.until(POD_A, gaining.at(CLUSTER_IP), "b1")
        gaining.change(ports=[http, dns])
        gaining.serve(B1)
        where = gaining.at(named("dns"))
        three_nodes.asker.until_all([(POD_A, where), (POD_A, gaining.at(named("http")))], ["b1"])
        gaining.change(ports=[http])
        three_nodes.cluster.wait(lambda: three_nodes.asker.who(POD_A, where, seconds=0.5) != "b1", "end of the port")
        three_nodes.asker.until(POD_A, gaining.at(CLUSTER_IP), "b1")


class Health(Struct, frozen=True, kw_only=True):
    """What a node says at a Service's health-check node port: the HTTP status, and its local endpoints."""

    status: int
    local_endpoints: int


def health(asking: Namespace, host: str, port: int) -> Health | None:
    """Asks by curl; None if nobody listens there."""
    flags = ["--silent", "--noproxy", "*", "--max-time", "5", "--write-out", "\n%{http_code}"]
    done = asking.exec(["curl", *flags, f"http://{host}:{port}/healthz"], check=False)
    if done.returncode:
        return None
    body, _, status = done.stdout.rpartition("\n")
    said: dict[str, Any] = msgspec.json.decode(body)
    return Health(status=int(status), local_endpoints=said["localEndpoints"])


def hosts(three_nodes: ThreeNodes, node: str) -> list[str]:
    return [
        f"[{each}]" if each.version == 6 else str(each) for each in three_nodes.cluster.lab.node(node).spec.addresses
    ]


def test_every_node_tells_load_balancers_how_many_endpoints_it_has(three_nodes: ThreeNodes) -> None:
    for origin in (CLIENT, NODE_B, POD_C):
        for node, count in (("node-a", 2), ("node-b", 1), ("node-c", 0)):
            for host in hosts(three_nodes, node):
                said = health(three_nodes.asker.place(origin), host, HEALTH_PORT)
                assert said == Health(status=200 if count else 503, local_endpoints=count), (origin, node, host)


def test_the_health_check_follows_the_endpoints_and_the_service(three_nodes: ThreeNodes) -> None:
    made = service(
        "checked",
        132,
        port(80, HTTP, node_port=30083),
        type="LoadBalancer",
        externalTrafficPolicy="Local",
        healthCheckNodePort=32132,
    )
    asking = three_nodes.asker.place(CLIENT)

    def until(**said: Health | None) -> None:
        expected = [(host, said[node]) for node in said for host in hosts(three_nodes, node.replace("_", "-"))]
        three_nodes.cluster.wait(
            lambda: all(health(asking, host, 32132) == wanted for host, wanted in expected), f"health {said}"
        )

    none, one, two = (
        Health(status=503, local_endpoints=0),
        Health(status=200, local_endpoints=1),
        Health(status=200, local_endpoints=2),
    )
    with exposed(three_nodes.cluster, made) as checked:
        until(node_a=none, node_b=none, node_c=none)
        checked.serve(A1, A2, C1)
        until(node_a=two, node_b=none, node_c=one)
        ending = Member(pod=PODS["c1"], ready=False, serving=True, terminating=True)
        checked.serve(A1, ending)
        until(node_a=one, node_b=none, node_c=none)
        three_nodes.asker.until(CLIENT, checked.at(node_port("node-c")), "c1")
        checked.change(healthCheckNodePort=None, externalTrafficPolicy="Cluster")
        until(node_a=None, node_b=None, node_c=None)


def zonal(**zones: str) -> list[Member]:
    return [Member(pod=PODS[name], zones=(zone,) if zone else ()) for name, zone in zones.items()]


def test_hints_count_only_if_every_endpoint_has_one_and_the_zone_has_any(three_nodes: ThreeNodes) -> None:
    made = service("hinted", 133, port(80, HTTP), trafficDistribution="PreferSameZone")
    with exposed(three_nodes.cluster, made, *zonal(a1="zone-1", c1="zone-2")) as hinted:
        near, far = hinted.at(CLUSTER_IP), hinted.at(CLUSTER_IP_V6)
        three_nodes.asker.until_all([(POD_A, near), (POD_B, far)], ["a1"])
        three_nodes.asker.until_all([(POD_C, near), (POD_C, far)], ["c1"])
        hinted.serve(*zonal(a1="zone-1", c1=""))
        three_nodes.asker.until_all([(POD_A, near), (POD_C, far)], ["a1", "c1"])
        hinted.serve(*zonal(a1="zone-1", c1="zone-1"))
        three_nodes.asker.until_all([(POD_A, near), (POD_C, far)], ["a1", "c1"])
        hinted.serve(*zonal(a1="zone-2", c1="zone-1"))
        three_nodes.asker.until(POD_A, near, "c1")
        three_nodes.asker.until(POD_C, far, "a1")


def test_a_node_that_moves_to_another_zone_follows_its_hints(three_nodes: ThreeNodes) -> None:
    def move(zone: str | None) -> None:
        labels = {"topology.kubernetes.io/zone": zone}
        three_nodes.cluster.api.patch("Node", "", "node-c", {"metadata": {"labels": labels}})

    made = service("moving", 134, port(80, HTTP), trafficDistribution="PreferSameZone")
    with exposed(three_nodes.cluster, made, *zonal(a1="zone-1", b1="zone-1", c1="zone-2")) as moving:
        both = [(POD_C, moving.at(CLUSTER_IP)), (POD_C, moving.at(CLUSTER_IP_V6))]
        try:
            three_nodes.asker.until_all(both, ["c1"])
            move("zone-1")
            three_nodes.asker.until_all(both, ["a1", "b1"])
            move(None)
            three_nodes.asker.until_all(both, ["a1", "b1", "c1"])
        finally:
            move(ZONES["node-c"])
        three_nodes.asker.until_all(both, ["c1"])
