"""The manifests of examples/ and the cases that are run on them belong together."""

from pathlib import Path

import pytest

from e2e.cases import CASES
from e2e.examples import read_manifests, topology_of
from e2e.expectation import Answers, Place
from e2e.netns import LabError
from e2e.running import resolve

MANIFESTS = read_manifests(Path(__file__).parents[2] / "examples")
TOPOLOGY = topology_of(MANIFESTS)


@pytest.mark.parametrize("service", sorted(MANIFESTS.services))
def test_every_example_is_asked_from_a_pod_a_node_and_outside(service: str) -> None:
    assert {case.origin.place for case in CASES if case.service == service} == set(Place)


def test_every_case_means_an_address_and_pods_that_exist() -> None:
    pods = {pod.name for pod in TOPOLOGY.pods}
    for case in CASES:
        assert resolve(TOPOLOGY, MANIFESTS.services[case.service], case.target).port > 0
        assert not isinstance(case.expect, Answers) or case.expect.pods <= pods


def test_no_case_stands_there_twice() -> None:
    questions = [(case.service, case.origin, case.target) for case in CASES]
    assert len(questions) == len(set(questions))


def test_addresses_of_pods_lie_in_their_nodes_networks() -> None:
    networks = {node.name: node.pod_networks for node in TOPOLOGY.nodes}
    for pod in TOPOLOGY.pods:
        for address in pod.addresses:
            assert any(address in network for network in networks[pod.node]), pod


def test_a_pod_has_what_all_its_slices_give_it() -> None:
    web = next(pod for pod in TOPOLOGY.pods if pod.name == "web-1")
    assert [str(address) for address in web.addresses] == ["10.244.0.11", "fd00:10:244::11"]
    dns = next(pod for pod in TOPOLOGY.pods if pod.name == "dns-1")
    assert {(listener.protocol, listener.port) for listener in dns.listeners} == {
        ("UDP", 5353),
        ("TCP", 5353),
        ("TCP", 9153),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: Service\nspec: {ports: []}\n", "missing required field `metadata`"),
        ("kind: [", "while parsing"),
        ("kind: ConfigMap\n", "no Node object"),
    ],
)
def test_manifests_that_make_no_lab_are_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(LabError, match=says) as caught:
        topology_of(read_manifests(tmp_path))
    assert "broken.yaml" in str(caught.value) or "Node" in says
