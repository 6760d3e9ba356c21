"""Endpoints come and go under steady traffic."""

from contextlib import ExitStack

from msgspec.structs import replace

from e2e.making import Member, port, service
from e2e.steady import steady_traffic
from e2e.three_nodes.exposed import exposed
from e2e.three_nodes.places import PODS, members
from e2e.three_nodes.services import HTTP
from e2e.vocabulary import CLIENT, CLUSTER_IP, CLUSTER_IP_V6, DROPPED, POD_A, POD_B, POD_C, REFUSED, node_port
from tests.e2e.combinations import ThreeNodes, has_rule, needs_a_lab, on_every_combination

pytestmark = [needs_a_lab, on_every_combination]

A1, A2, B1, C1 = members("a1", "a2", "b1", "c1")


def terminating(member: Member, *, serving: bool = True) -> Member:
    return replace(member, ready=False, serving=serving, terminating=True)


def test_no_request_fails_in_a_rolling_update_with_external_traffic_policy_local(three_nodes: ThreeNodes) -> None:
    """A node's last endpoint serves while it terminates; so do all, where there are no others."""
    cluster, asker = three_nodes.cluster, three_nodes.asker
    made = service("rollout", 101, port(80, HTTP, node_port=30061), type="NodePort", externalTrafficPolicy="Local")
    with exposed(cluster, made, A1, B1) as rollout, ExitStack() as traffic:
        outside = [(CLIENT, rollout.at(node_port("node-a", family))) for family in (4, 6)]
        inside = [(POD_C, rollout.at(CLUSTER_IP)), (POD_C, rollout.at(CLUSTER_IP_V6))]
        asker.until_all(outside, ["a1"])
        asker.until_all(inside, ["a1", "b1"])
        tallies = [
            traffic.enter_context(steady_traffic(asker.place(questions[0][0]), [where for _, where in questions]))
            for questions in (outside, inside)
        ]
        for endpoints, local, anywhere in (
            ((terminating(A1), B1), ["a1"], ["b1"]),
            ((terminating(A1), A2, B1), ["a2"], ["a2", "b1"]),
            ((A2, B1), ["a2"], ["a2", "b1"]),
            ((terminating(A2), terminating(B1)), ["a2"], ["a2", "b1"]),
            ((terminating(A2), terminating(B1), C1), ["a2"], ["c1"]),
            ((A1, C1), ["a1"], ["a1", "c1"]),
        ):
            rollout.serve(*endpoints)
            asker.until_all(outside, local)
            asker.until_all(inside, anywhere)
        traffic.close()
        assert [tally.failures for tally in tallies] == [(), ()]
        assert {pod for tally in tallies for each in tally.sums for pod in each.pods} == set(PODS)
        rollout.serve(C1)
        asker.until_all(outside, [DROPPED.fate])


def test_no_request_fails_in_a_rolling_update_with_internal_traffic_policy_local(three_nodes: ThreeNodes) -> None:
    """The same within the cluster: who asks on a node is served by that node's endpoints, even if all terminate."""
    cluster, asker = three_nodes.cluster, three_nodes.asker
    made = service("inner", 105, port(80, HTTP), internalTrafficPolicy="Local")
    with exposed(cluster, made, A1, B1) as inner, ExitStack() as traffic:
        near = [(POD_A, inner.at(CLUSTER_IP)), (POD_A, inner.at(CLUSTER_IP_V6))]
        far = [(POD_B, inner.at(CLUSTER_IP)), (POD_B, inner.at(CLUSTER_IP_V6))]
        asker.until_all(near, ["a1"])
        asker.until_all(far, ["b1"])
        tallies = [
            traffic.enter_context(steady_traffic(asker.place(questions[0][0]), [where for _, where in questions]))
            for questions in (near, far)
        ]
        for endpoints, local in (
            ((terminating(A1), B1), "a1"),
            ((terminating(A1), A2, B1), "a2"),
            ((A2, B1), "a2"),
            ((terminating(A2), terminating(B1)), "a2"),
            ((terminating(A2), terminating(B1), C1), "a2"),
            ((A1, B1, C1), "a1"),
        ):
            inner.serve(*endpoints)
            asker.until_all(near, [local])
            asker.until_all(far, ["b1"])
        traffic.close()
        assert [tally.failures for tally in tallies] == [(), ()]
        assert [{pod for each in tally.sums for pod in each.pods} for tally in tallies] == [{"a1", "a2"}, {"b1"}]
        inner.serve(B1, C1)
        asker.until_all(near, [DROPPED.fate])


def test_endpoints_that_do_not_serve_get_nothing(three_nodes: ThreeNodes) -> None:
    made = service("broken", 102, port(80, HTTP))
    unready = replace(A1, ready=False, serving=True, terminating=False)
    with exposed(three_nodes.cluster, made, A1, B1) as broken:
        both = [(POD_A, broken.at(CLUSTER_IP)), (POD_B, broken.at(CLUSTER_IP_V6))]
        three_nodes.asker.until_all(both, ["a1", "b1"])
        broken.serve(unready, B1)
        three_nodes.asker.until_all(both, ["b1"])
        broken.serve(unready, terminating(B1, serving=False))
        three_nodes.asker.until_all(both, [REFUSED.fate])


def test_a_changed_selector_moves_all_traffic_and_loses_none(three_nodes: ThreeNodes) -> None:
    """As the control plane does it: slices of the newly selected pods come, those of the old ones go."""
    cluster, asker = three_nodes.cluster, three_nodes.asker
    made = service("shift", 103, port(80, HTTP, node_port=30063), type="NodePort", selector={"app": "old"})
    with exposed(cluster, made, A1, B1) as shift:
        both = [(POD_A, shift.at(CLUSTER_IP)), (POD_A, shift.at(node_port("node-c", 6)))]
        asker.until_all(both, ["a1", "b1"])
        with steady_traffic(asker.place(POD_A), [where for _, where in both]) as tally:
            shift.change(selector={"app": "new"})
            shift.serve(A2, C1, name="shift-new")
            asker.until_all(both, ["a1", "b1", "a2", "c1"])
            shift.withdraw("shift")
            asker.until_all(both, ["a2", "c1"])
        assert tally.failures == ()


def test_services_that_come_and_go_disturb_no_other(three_nodes: ThreeNodes) -> None:
    cluster, asker = three_nodes.cluster, three_nodes.asker
    made = [service(f"churn-{number}", number, port(80, HTTP)) for number in range(140, 180)]
    with ExitStack() as stack:
        web = exposed(cluster, service("steady", 104, port(80, HTTP, node_port=30064), type="NodePort"), A1, C1)
        steady = stack.enter_context(web)
        asked = [
            (POD_B, steady.at(CLUSTER_IP)),
            (POD_B, steady.at(CLUSTER_IP_V6)),
            (POD_B, steady.at(node_port("node-a"))),
        ]
        asker.until_all(asked, ["a1", "c1"])
        with steady_traffic(asker.place(POD_B), [where for _, where in asked], kept=[steady.at(CLUSTER_IP)]) as tally:
            churned = [stack.enter_context(exposed(cluster, each, A1)) for each in made]
            for each in churned[::2]:
                each.serve(B1, C1)
            for each in churned[1::2]:
                each.delete()
            asker.until_all([(POD_B, each.at(CLUSTER_IP_V6)) for each in churned[::2]], ["b1", "c1"])
            for each in churned[::2]:
                each.delete()
            cluster.wait(
                lambda: not any(has_rule(cluster, each, "churn-") for each in cluster.lab.nodes), "clean rules"
            )
        assert tally.failures == ()
