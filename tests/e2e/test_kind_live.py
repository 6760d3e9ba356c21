"""What is made of a cluster's answers."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from e2e.kind import live
from e2e.kind.live import LiveMetadata, LiveNode
from e2e.kind.scenarios import examples, three_nodes
from e2e.netns import LabError
from e2e.objects import NodeStatus
from e2e.three_nodes.places import BALANCER
from e2e.three_nodes.services import MANIFESTS
from e2e.topology import CLIENT
from tests.e2e.kind_like import elsewhere

TOPOLOGY = three_nodes().topology


def test_machines_outside_are_elsewhere() -> None:
    moved = live.moved(TOPOLOGY, elsewhere(TOPOLOGY))
    assert moved[CLIENT.addresses[0]] == CLIENT.addresses[0] + 5
    assert moved[BALANCER.addresses[1]] == BALANCER.addresses[1] + 5
    assert len(moved) == 2 * 3


def test_a_machine_without_a_family_is_elsewhere_in_the_other_only() -> None:
    found = replace(TOPOLOGY, outsiders=(replace(CLIENT, addresses=(ip_address("172.18.0.9"),)),))
    assert live.moved(TOPOLOGY, found) == {CLIENT.addresses[0]: ip_address("172.18.0.9")}


def test_services_have_the_names_that_cases_use() -> None:
    service = MANIFESTS.services["default/web"]
    real = replace(service, metadata=replace(service.metadata, namespace="three-nodes"))
    assert live.services(three_nodes(), [real]).services == {"default/web": real}
    assert live.services(examples(), [service]).services == {"default/web": service}


def test_nodes_that_stand_for_none_do_not_count() -> None:
    nodes = [
        LiveNode(metadata=LiveMetadata(name="kind-worker", labels={"stands-for": "node-a"}), status=NodeStatus()),
        LiveNode(metadata=LiveMetadata(name="kind-control-plane"), status=NodeStatus()),
    ]
    assert live.node_names(nodes) == {"node-a": "kind-worker"}


def test_a_node_that_is_not_there_is_named() -> None:
    with pytest.raises(LabError, match="the cluster has no node node-a"):
        live.topology(TOPOLOGY, [], [], ())
