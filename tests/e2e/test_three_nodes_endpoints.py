"""Endpoints come and go, under steady traffic and under UDP clients that keep their socket."""

from contextlib import ExitStack

import pytest
from msgspec.structs import replace

from e2e.asking import steady_traffic
from e2e.cases import (
    CLIENT,
    CLUSTER_IP,
    CLUSTER_IP_V6,
    DROPPED,
    FAMILIES,
    NODE_B,
    NODES,
    POD_A,
    POD_B,
    POD_C,
    REFUSED,
    Target,
    node_port,
)
from e2e.objects import Member, port, service
from e2e.three_nodes.asker import Exposed, Question, exposed
from e2e.three_nodes.services import DNS, HTTP, members
from tests.e2e.combinations import ThreeNodes, has_rule, needs_a_lab, on_both_tools_and_layouts

pytestmark = [needs_a_lab, on_both_tools_and_layouts]

A1, A2, B1, C1 = members("a1", "a2", "b1", "c1")


def in_both_families(of: Exposed, *ways: tuple[str, Target]) -> list[Question]:
    return [(origin, of.at(replace(target, family=family))) for origin, target in ways for family in FAMILIES]


def terminating(member: Member) -> Member:
    return replace(member, ready=False, serving=True, terminating=True)


# What a rolling update does to endpoints, and who must then answer where only those of node-a count.
ROLLOUT = (
    ((terminating(A1), B1), "a1"),
    ((terminating(A1), A2, B1), "a2"),
    ((A2, B1), "a2"),
    ((terminating(A2), terminating(B1)), "a2"),
    ((terminating(A2), terminating(B1), C1), "a2"),
    ((A1, B1, C1), "a1"),
)


@pytest.mark.parametrize(
    ("policy", "local", "elsewhere", "others"),
    [
        ("externalTrafficPolicy", (CLIENT, node_port("node-a")), (POD_C, CLUSTER_IP), {"a1", "a2", "b1", "c1"}),
        ("internalTrafficPolicy", (POD_A, CLUSTER_IP), (POD_B, CLUSTER_IP), {"b1"}),
    ],
    ids=["external", "internal"],
)
def test_no_request_fails_in_a_rolling_update_with_policy_local(
    three_nodes: ThreeNodes, policy: str, local: tuple[str, Target], elsewhere: tuple[str, Target], others: set[str]
) -> None:
    """A node's last endpoint serves while it terminates; so do all, where there are no others."""
    asker = three_nodes.asker
    made = service("rollout", 101, port(80, HTTP, node_port=30061), type="NodePort")
    made["spec"][policy] = "Local"
    with exposed(three_nodes.cluster, made, A1, B1) as rollout:
        near, far = (in_both_families(rollout, way) for way in (local, elsewhere))
        asker.until_all(near, ["a1"])
        asker.until_all(far, sorted(others & {"a1", "b1"}))
        with ExitStack() as traffic:
            tallies = [
                traffic.enter_context(steady_traffic({asker.place(asked[0][0]): [where for _, where in asked]}))
                for asked in (near, far)
            ]
            for endpoints, pod in ROLLOUT:
                rollout.serve(*endpoints)
                asker.until_all(near, [pod])
        assert [tally.failures for tally in tallies] == [[], []]
        assert [tally.pods for tally in tallies] == [{"a1", "a2"}, others]
        rollout.serve(B1, C1)
        asker.until_all(near, [DROPPED.fate])


def test_a_changed_selector_moves_all_traffic_and_loses_none(three_nodes: ThreeNodes) -> None:
    """As the control plane does it: slices of the newly selected pods come, those of the old ones go."""
    cluster, asker = three_nodes.cluster, three_nodes.asker
    made = service("shift", 103, port(80, HTTP, node_port=30063), type="NodePort", selector={"app": "old"})
    with exposed(cluster, made, A1, B1) as shift:
        both = [(POD_A, shift.at(CLUSTER_IP)), (POD_A, shift.at(node_port("node-c", 6)))]
        asker.until_all(both, ["a1", "b1"])
        with steady_traffic({asker.place(POD_A): [where for _, where in both]}) as tally:
            shift.change(selector={"app": "new"})
            shift.serve(A2, C1, name="shift-new")
            asker.until_all(both, ["a1", "b1", "a2", "c1"])
            shift.withdraw("shift")
            asker.until_all(both, ["a2", "c1"])
        assert tally.failures == []


def test_services_that_come_and_go_disturb_no_other(three_nodes: ThreeNodes) -> None:
    cluster, asker = three_nodes.cluster, three_nodes.asker
    made = [service(f"churn-{number}", number, port(80, HTTP)) for number in range(140, 180)]
    with ExitStack() as stack:
        web = service("steady", 104, port(80, HTTP, node_port=30064), type="NodePort")
        steady = stack.enter_context(exposed(cluster, web, A1, C1))
        targets = (CLUSTER_IP, CLUSTER_IP_V6, node_port("node-a"))
        asked = [(POD_B, steady.at(target)) for target in targets]
        asker.until_all(asked, ["a1", "c1"])
        with steady_traffic({asker.place(POD_B): [where for _, where in asked]}, kept=True) as tally:
            churned = [stack.enter_context(exposed(cluster, each, A1)) for each in made]
            for each in churned[::2]:
                each.serve(B1, C1)
            for each in churned[1::2]:
                each.delete()
            asker.until_all([(POD_B, each.at(CLUSTER_IP_V6)) for each in churned[::2]], ["b1", "c1"])
            for each in churned[::2]:
                each.delete()
            cluster.wait(lambda: not any(has_rule(three_nodes, each, "churn-") for each in NODES), "clean rules")
        assert tally.failures == []


def test_a_flow_follows_its_endpoint_through_replacement_and_zero(three_nodes: ThreeNodes) -> None:
    made = service("flow", 110, port(53, DNS, name="dns", protocol="UDP", node_port=30070), type="NodePort")
    entrances = (
        *((origin, CLUSTER_IP) for origin in (POD_A, POD_C, NODE_B)),
        (POD_A, node_port("node-b")),
        (CLIENT, node_port("node-c")),
    )
    with exposed(three_nodes.cluster, made, C1) as flow:
        asked = in_both_families(flow, *entrances)
        three_nodes.asker.until_all_keep(asked, "c1")
        flow.serve(A1)
        three_nodes.asker.until_all_keep(asked, "a1")
        flow.serve(A1, B1, C1)
        three_nodes.asker.until_all([(POD_A, flow.at(CLUSTER_IP))], ["a1", "b1", "c1"])
        assert {three_nodes.asker.who(*each, kept=True) for each in asked * 3} == {"a1"}, (
            "it stays with what is still there"
        )
        flow.serve()
        three_nodes.asker.until_all_keep(asked, REFUSED.fate)
        flow.serve(B1)
        three_nodes.asker.until_all_keep(asked, "b1")
