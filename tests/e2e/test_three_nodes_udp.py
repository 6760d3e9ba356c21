"""UDP clients that keep their socket: they follow the endpoints, though connection tracking remembers the old ones."""

from msgspec.structs import replace

from e2e.asking import Destination
from e2e.expectation import Origin, Target
from e2e.making import port, service
from e2e.three_nodes.exposed import Exposed, exposed
from e2e.three_nodes.places import members
from e2e.three_nodes.services import DNS
from e2e.vocabulary import CLIENT, CLUSTER_IP, FAMILIES, NODE_B, POD_A, POD_C, REFUSED, node_port
from tests.e2e.combinations import ThreeNodes, needs_a_lab, on_every_combination

pytestmark = [needs_a_lab, on_every_combination]

A1, A2, B1, C1 = members("a1", "a2", "b1", "c1")


def in_both_families(of: Exposed, *ways: tuple[Origin, Target]) -> list[tuple[Origin, Destination]]:
    return [(origin, of.at(replace(target, family=family))) for origin, target in ways for family in FAMILIES]


def test_a_flow_follows_its_endpoint_through_replacement_and_zero(three_nodes: ThreeNodes) -> None:
    made = service("flow", 110, port(53, DNS, name="dns", protocol="UDP", node_port=30070), type="NodePort")
    with exposed(three_nodes.cluster, made, C1) as flow:
        asked = in_both_families(
            flow,
            (POD_A, CLUSTER_IP),
            (POD_C, CLUSTER_IP),
            (NODE_B, CLUSTER_IP),
            (POD_A, node_port("node-b")),
            (CLIENT, node_port("node-c")),
        )
        three_nodes.asker.until_all_keep(asked, "c1")
        flow.serve(A1)
        three_nodes.asker.until_all_keep(asked, "a1")
        flow.serve()
        three_nodes.asker.until_all_keep(asked, REFUSED.fate)
        flow.serve(B1)
        three_nodes.asker.until_all_keep(asked, "b1")


def test_a_flow_follows_what_is_left_on_its_node_with_traffic_policies_local(three_nodes: ThreeNodes) -> None:
    dns = port(53, DNS, name="dns", protocol="UDP", node_port=30073)
    policies = service("local", 113, dns, type="NodePort", externalTrafficPolicy="Local", internalTrafficPolicy="Local")
    with exposed(three_nodes.cluster, policies, A1) as local:
        asked = in_both_families(local, (CLIENT, node_port("node-a")), (POD_A, CLUSTER_IP))
        three_nodes.asker.until_all_keep(asked, "a1")
        local.serve(A2, C1)
        three_nodes.asker.until_all_keep(asked, "a2")
        local.serve()
        three_nodes.asker.until_all_keep(asked, REFUSED.fate)
        local.serve(A1, C1)
        three_nodes.asker.until_all_keep(asked, "a1")


def test_a_flow_stays_where_it_is_while_its_endpoint_stays(three_nodes: ThreeNodes) -> None:
    made = service("still", 111, port(53, DNS, name="dns", protocol="UDP"))
    with exposed(three_nodes.cluster, made, A1) as still:
        asked = in_both_families(still, (POD_C, CLUSTER_IP), (NODE_B, CLUSTER_IP))
        three_nodes.asker.until_all_keep(asked, "a1")
        still.serve(A1, B1, C1)
        three_nodes.asker.until(POD_A, still.at(CLUSTER_IP), "a1", "b1", "c1")
        assert {three_nodes.asker.who_keeps(*each) for each in asked * 10} == {"a1"}


def test_a_flow_to_a_service_that_was_deleted_and_made_anew_reaches_the_new_endpoint(three_nodes: ThreeNodes) -> None:
    made = service("anew", 112, port(53, DNS, name="dns", protocol="UDP"))
    with exposed(three_nodes.cluster, made, A1) as old:
        asked = in_both_families(old, (POD_C, CLUSTER_IP))
        three_nodes.asker.until_all_keep(asked, "a1")
    with exposed(three_nodes.cluster, made, B1):
        three_nodes.asker.until_all_keep(asked, "b1")
