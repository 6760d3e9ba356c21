"""Every kind of Service on three nodes, asked by curl and by socket from pods, nodes and outside."""

import pytest

from e2e.asking import ask
from e2e.expectation import Case, Fails
from e2e.lab import has_sctp
from e2e.running import Result, run_case, run_side_by_side
from e2e.three_nodes.cases import CASES, SCTP
from e2e.three_nodes.services import MANIFESTS
from tests.e2e.combinations import ThreeNodes, needs_a_lab, on_every_combination

pytestmark = [needs_a_lab, on_every_combination]

FAILING = [case for case in CASES if isinstance(case.expect, Fails)]


@pytest.fixture(scope="module")
def failures(three_nodes: ThreeNodes) -> dict[Case, Result]:
    """What came of the cases that expect no answer."""
    return run_side_by_side(three_nodes.cluster.lab, MANIFESTS, FAILING)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case not in FAILING], ids=lambda case: f"{case.service}: {case.shows}"
)
def test_answered(three_nodes: ThreeNodes, case: Case) -> None:
    if case in SCTP and not has_sctp():
        pytest.skip("this kernel has no SCTP")
    ways = (ask, three_nodes.residents.ask)
    assert run_case(three_nodes.cluster.lab, MANIFESTS, case, ways).complaint is None


@pytest.mark.parametrize("case", FAILING, ids=lambda case: f"{case.service}: {case.shows}")
def test_refused_or_dropped_or_unreachable(failures: dict[Case, Result], case: Case) -> None:
    assert failures[case].complaint is None


@pytest.mark.parametrize("tool", ["iptables", "ip6tables"])
def test_a_headless_service_has_no_rule(three_nodes: ThreeNodes, tool: str) -> None:
    save = f"{tool}-{three_nodes.combination.backend}-save"
    for node in three_nodes.cluster.lab.nodes.values():
        dump = node.exec([save]).stdout
        assert "default/several" in dump
        assert "database" not in dump
