"""Services that change: ports, type, health checks, topology; and clients that stay with their endpoint."""

import time
from collections.abc import Mapping
from functools import partial

import msgspec

from e2e.asking import Fate
from e2e.cases import CLIENT, CLUSTER_IP, CLUSTER_IP_V6, NODES, POD_A, POD_B, POD_C, STRANGER, node_port
from e2e.netns import Namespace
from e2e.objects import Member, port, service
from e2e.three_nodes.asker import Asker, Question, exposed
from e2e.three_nodes.services import HTTP, PODS, members
from tests.e2e.combinations import ThreeNodes, has_rule, needs_a_lab, on_both_tools_and_layouts

pytestmark = [needs_a_lab, on_both_tools_and_layouts]

A1, A2, C1 = members("a1", "a2", "c1")
CLUSTER_IPS = (CLUSTER_IP, CLUSTER_IP_V6)
TIMEOUT_SECONDS = 6
SILENT_SECONDS = 3  # within the timeout
ROUNDS = 5  # with sixteen clients, one in 10^9 chooses the same pods again by chance; a slow machine gets more tries


def health(asking: Namespace, host: str, port: int) -> tuple[int, int] | None:
    """The HTTP status of a health-check node port, and how many local endpoints it tells; None if nobody listens."""
    flags = ["--silent", "--noproxy", "*", "--max-time", "5", "--write-out", "\n%{http_code}"]
    done = asking.exec(["curl", *flags, f"http://{host}:{port}/healthz"], check=False)
    if done.returncode:
        return None
    body, _, status = done.stdout.rpartition("\n")
    return int(status), msgspec.json.decode(body)["localEndpoints"]


def test_the_health_check_follows_the_endpoints_and_the_service(three_nodes: ThreeNodes) -> None:
    made = service("checked", 132, port(80, HTTP, node_port=30083), type="LoadBalancer")
    made["spec"] |= {"externalTrafficPolicy": "Local", "healthCheckNodePort": 32132}
    asking = [three_nodes.asker.place(origin) for origin in (CLIENT, POD_C)]

    def until(*said: tuple[int, int] | None) -> None:
        hosts = [
            (f"[{each}]" if each.version == 6 else str(each), wanted)
            for node, wanted in zip(three_nodes.cluster.lab.nodes.values(), said, strict=True)
            for each in node.spec.addresses
        ]
        three_nodes.cluster.wait(
            lambda: all(health(place, host, 32132) == wanted for host, wanted in hosts for place in asking),
            f"health {said}",
        )

    with exposed(three_nodes.cluster, made) as checked:
        until((503, 0), (503, 0), (503, 0))
        checked.serve(A1, A2, C1)
        until((200, 2), (503, 0), (200, 1))
        ending = Member(pod=PODS["c1"], ready=False, serving=True, terminating=True)
        checked.serve(A1, ending)
        until((200, 1), (503, 0), (503, 0))
        three_nodes.asker.until_all([(CLIENT, checked.at(node_port("node-c")))], ["c1"])
        checked.change(healthCheckNodePort=None, externalTrafficPolicy="Cluster")
        until(None, None, None)


def zonal(**zones: str) -> list[Member]:
    return [Member(pod=PODS[name], zones=(zone,) if zone else ()) for name, zone in zones.items()]


def test_hints_count_only_if_every_endpoint_has_one_and_the_zone_has_any(three_nodes: ThreeNodes) -> None:
    made = service("hinted", 133, port(80, HTTP), trafficDistribution="PreferSameZone")
    with exposed(three_nodes.cluster, made, *zonal(a1="zone-1", c1="zone-2")) as hinted:
        near, far = ([(pod, hinted.at(each)) for each in CLUSTER_IPS] for pod in (POD_A, POD_C))
        three_nodes.asker.until_all(near, ["a1"])
        three_nodes.asker.until_all(far, ["c1"])
        hinted.serve(*zonal(a1="zone-1", c1=""))
        three_nodes.asker.until_all(near + far, ["a1", "c1"])
        hinted.serve(*zonal(a1="zone-1", c1="zone-1"))
        three_nodes.asker.until_all(near + far, ["a1", "c1"])


def choices(asker: Asker, asked: list[Question]) -> Mapping[Question, str]:
    """Which pod each client stays with over a few connections, made at once."""
    pods = {(origin, where): {outcome.who for outcome in asker.put(origin, where, 10)} for origin, where in asked}
    assert [each for each in pods.items() if len(each[1]) != 1] == []
    return {question: its.pop() for question, its in pods.items()}


def after_a_silence(asker: Asker, asked: list[Question]) -> tuple[Mapping[Question, str], Mapping[Question, str]]:
    """Which pod each client stays with before and after it was silent for a while, but not for the timeout."""
    for _ in range(ROUNDS):
        begun = time.monotonic()
        before = choices(asker, asked)
        time.sleep(SILENT_SECONDS)  # silence is what this is about
        after = choices(asker, asked)
        # Else the machine was so slow that some may have been silent for too long.
        if time.monotonic() - begun < TIMEOUT_SECONDS:
            return before, after
    raise AssertionError(f"so many connections take more than {TIMEOUT_SECONDS - SILENT_SECONDS} s")


def test_a_client_stays_until_it_has_been_silent_for_the_timeout(three_nodes: ThreeNodes) -> None:
    made = service("session", 120, port(80, HTTP, node_port=30079), type="NodePort", sessionAffinity="ClientIP")
    made["spec"]["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": TIMEOUT_SECONDS}}
    asker = three_nodes.asker
    with exposed(three_nodes.cluster, made, *members(*PODS)) as session:
        # Many clients, each of which chooses for itself, in both families.
        inside = [(origin, session.at(each)) for origin in (POD_A, POD_B, POD_C, *NODES) for each in CLUSTER_IPS]
        outside = [(origin, session.at(node_port("node-a", each))) for origin in (CLIENT, STRANGER) for each in (4, 6)]
        asked = inside + outside
        three_nodes.cluster.wait(
            lambda: all(asker.who(*each, seconds=0.5) not in set(Fate) for each in asked), "first answers"
        )
        before, first = after_a_silence(asker, asked)
        assert len(set(first.values())) > 1
        assert first == before, "nobody leaves within the timeout"
        for _ in range(ROUNDS):
            time.sleep(TIMEOUT_SECONDS + 1)
            if choices(asker, asked) != first:
                return
        raise AssertionError("every client is still with its first pod")


def test_a_client_stays_while_other_endpoints_come_and_go_and_leaves_with_its_own(three_nodes: ThreeNodes) -> None:
    made = service("staying", 121, port(80, HTTP), sessionAffinity="ClientIP")
    cluster, asker = three_nodes.cluster, three_nodes.asker

    def are_served(pods: tuple[str, ...]) -> bool:
        return all(
            has_rule(three_nodes, "node-b", "default/staying:", "DNAT", str(address)) is (name in pods)
            for name, spec in PODS.items()
            for address in spec.addresses
        )

    with exposed(cluster, made, A1) as staying:
        asked = [(POD_B, staying.at(each)) for each in CLUSTER_IPS]
        asker.until_all(asked, ["a1"])
        for present in (("a1", "b1"), ("a1", "b1", "c1"), ("a1", "c1")):
            staying.serve(*members(*present))
            cluster.wait(partial(are_served, present), f"{present} in node-b's rules")
            assert set(choices(asker, asked).values()) == {"a1"}
        staying.serve(C1)
        asker.until_all(asked, ["c1"])
