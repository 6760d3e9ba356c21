"""Session affinity: a client stays with its pod, until it has been silent for long enough, or the pod is gone."""

import time
from collections.abc import Collection, Mapping
from functools import partial

from e2e.asking import Destination
from e2e.cluster import Cluster
from e2e.expectation import Origin
from e2e.making import port, service
from e2e.three_nodes.asker import Asker
from e2e.three_nodes.exposed import Exposed, exposed
from e2e.three_nodes.places import PODS, members
from e2e.three_nodes.services import HTTP
from e2e.vocabulary import (
    CLIENT,
    CLUSTER_IP,
    CLUSTER_IP_V6,
    NODE_A,
    NODE_B,
    NODE_C,
    POD_A,
    POD_B,
    POD_C,
    STRANGER,
    node_port,
)
from tests.e2e.combinations import ThreeNodes, has_rule, needs_a_lab, on_both_tools_and_layouts

pytestmark = [needs_a_lab, on_both_tools_and_layouts]

TIMEOUT_SECONDS = 6
SILENT_SECONDS = 3  # within the timeout
TIMES = 10
ROUNDS = 5  # with sixteen clients, one in 10^9 chooses the same pods again by chance; a slow machine gets more tries

Question = tuple[Origin, Destination]


def questions(of: Exposed) -> list[Question]:
    """Many clients, each of which chooses for itself, in both families."""
    inside = (POD_A, POD_B, POD_C, NODE_A, NODE_B, NODE_C)
    outside = (CLIENT, STRANGER)
    return [
        *((origin, of.at(target)) for origin in inside for target in (CLUSTER_IP, CLUSTER_IP_V6)),
        *((origin, of.at(node_port("node-a", family))) for origin in outside for family in (4, 6)),
    ]


def are_served(cluster: Cluster, service: str, pods: Collection[str]) -> bool:
    """Whether node-b's rules send the connections of a Service to these pods alone, in both families."""
    return all(
        has_rule(cluster, "node-b", f"default/{service}:", "DNAT", str(address)) is (name in pods)
        for name, spec in PODS.items()
        for address in spec.addresses
    )


def choices(asker: Asker, asked: list[Question]) -> Mapping[Question, str]:
    """Which pod each client stays with over a few connections, made at once."""
    chosen = {}
    for origin, where in asked:
        outcomes = asker.at(origin).burst(where, TIMES)
        pods = {outcome.reply.pod if outcome.reply else outcome.fate for outcome in outcomes}
        assert len(pods) == 1, f"{origin} at {where} was answered by {sorted(pods)}"
        chosen[origin, where] = pods.pop()
    return chosen


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
    affinity = {"clientIP": {"timeoutSeconds": TIMEOUT_SECONDS}}
    made = service(
        "session",
        120,
        port(80, HTTP, node_port=30079),
        type="NodePort",
        sessionAffinity="ClientIP",
        sessionAffinityConfig=affinity,
    )
    with exposed(three_nodes.cluster, made, *members(*PODS)) as session:
        asked = questions(session)
        asker = three_nodes.asker
        three_nodes.cluster.wait(lambda: all(asker.who(*each, seconds=0.5) in PODS for each in asked), "first answers")
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
    with exposed(cluster, made, *members("a1")) as staying:
        asked = [(POD_B, staying.at(CLUSTER_IP)), (POD_B, staying.at(CLUSTER_IP_V6))]
        asker.until_all(asked, ["a1"])
        for present in (("a1", "b1"), ("a1", "b1", "c1"), ("a1", "c1")):
            staying.serve(*members(*present))
            cluster.wait(partial(are_served, cluster, "staying", present), f"{present} in node-b's rules")
            assert set(choices(asker, asked).values()) == {"a1"}
        staying.serve(*members("c1"))
        asker.until_all(asked, ["c1"])
