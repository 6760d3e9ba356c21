"""The Services of the three nodes and the cases that are run on them belong together."""

import pytest

from e2e.expectation import Answers, Place
from e2e.running import resolve
from e2e.three_nodes.cases import CASES
from e2e.three_nodes.places import BALANCER
from e2e.three_nodes.services import MANIFESTS, OBJECTS, topology
from e2e.three_nodes.sharing import tolerable, unfairness
from e2e.topology import Protocol
from tests.apiserver.server import ApiServer

TOPOLOGY = topology(sctp=True)


@pytest.mark.parametrize("service", sorted(MANIFESTS.services))
def test_every_service_is_asked_from_a_pod_a_node_and_outside(service: str) -> None:
    assert {case.origin.place for case in CASES if case.service == service} == set(Place)


@pytest.mark.parametrize("service", sorted(MANIFESTS.services))
def test_every_service_is_asked_in_both_families(service: str) -> None:
    assert {case.target.family for case in CASES if case.service == service} == {4, 6}


def test_an_api_server_takes_every_object() -> None:
    with ApiServer() as api:
        for obj in OBJECTS:
            api.create(obj)


def test_every_case_means_an_address_and_hosts_that_exist() -> None:
    hosts = {pod.name for pod in TOPOLOGY.pods} | {outsider.name for outsider in TOPOLOGY.outsiders}
    for case in CASES:
        assert resolve(TOPOLOGY, MANIFESTS.services[case.service], case.target).port > 0
        assert not isinstance(case.expect, Answers) or case.expect.pods <= hosts


def test_what_is_for_a_load_balancer_that_is_a_proxy_leads_to_no_node() -> None:
    brought_to_nodes = {virtual.address for virtual in TOPOLOGY.virtual_addresses}
    assert len(brought_to_nodes) == 2 * 6
    assert brought_to_nodes.isdisjoint(BALANCER.addresses)


def test_no_case_stands_there_twice() -> None:
    questions = [(case.service, case.origin, case.target) for case in CASES]
    assert len(questions) == len(set(questions))


def test_a_kernel_without_sctp_is_not_asked_for_it() -> None:
    def protocols(*, sctp: bool) -> set[Protocol]:
        return {listener.protocol for pod in topology(sctp=sctp).pods for listener in pod.listeners}

    assert protocols(sctp=False) == {Protocol.TCP, Protocol.UDP}
    assert protocols(sctp=True) == set(Protocol)


@pytest.mark.parametrize(
    ("cells", "chance", "quantile"),
    # The upper quantiles of the chi-squared distribution, as tables have them.
    [(2, 0.05, 3.841), (4, 0.05, 7.815), (4, 0.001, 16.266), (11, 0.01, 23.209), (101, 0.001, 149.449)],
)
def test_the_tolerable_unfairness_is_that_of_the_tables(cells: int, chance: float, quantile: float) -> None:
    assert tolerable(cells, chance) == pytest.approx(quantile, rel=0.03)


@pytest.mark.parametrize(
    ("counts", "is_fair"),
    [([250, 250, 250, 250], True), ([230, 270, 260, 240], True), ([1000, 0], False), ([334, 333, 333, 0], False)],
)
def test_unfairness_is_found(counts: list[int], is_fair: bool) -> None:  # noqa: FBT001 - a row of the table above
    assert (unfairness(counts) < tolerable(len(counts))) is is_fair
