"""Every kind of Service on three nodes, asked by curl and by socket from pods, nodes and outside."""

from collections import Counter
from statistics import NormalDist

import pytest

from e2e.asking import Fate, ask
from e2e.cases import CASES, CLIENT, CLUSTER_IP, CLUSTER_IP_V6, NODE_B, NODE_C, POD_A, Case, Target, named, node_port
from e2e.judging import Result, resolve, run_case, run_side_by_side
from e2e.three_nodes.services import CROWD_PORTS, PODS, SERVICES
from tests.e2e.combinations import ThreeNodes, needs_a_lab, on_both_tools_and_layouts

pytestmark = [needs_a_lab, on_both_tools_and_layouts]

ANSWERED = [case for case in CASES if case.expect.fate is Fate.ANSWERED]
FAILING = [case for case in CASES if case not in ANSWERED]
CHANCE = 1e-6
"""With which fair shares are taken for unfair ones."""


@pytest.fixture(scope="module")
def failures(three_nodes: ThreeNodes) -> dict[Case, Result]:
    """What came of the cases that expect no answer."""
    return run_side_by_side(three_nodes.cluster.lab, SERVICES, FAILING)


@pytest.mark.parametrize("case", ANSWERED, ids=str)
def test_answered(three_nodes: ThreeNodes, case: Case) -> None:
    ways = (ask, three_nodes.asker.ask)
    assert run_case(three_nodes.cluster.lab, SERVICES, case, ways).complaint is None


@pytest.mark.parametrize("case", FAILING, ids=str)
def test_refused_or_dropped_or_unreachable(failures: dict[Case, Result], case: Case) -> None:
    assert failures[case].complaint is None


@pytest.mark.parametrize(
    ("origin", "service", "target", "endpoints"),
    [
        (POD_A, "web", named("http"), len(PODS)),
        (NODE_B, "web", named("http", CLUSTER_IP_V6), len(PODS)),
        (POD_A, "web", named("dns"), len(PODS)),
        (CLIENT, "shop", named("http", node_port(NODE_C)), 2),
        (POD_A, "crowd", CLUSTER_IP, len(PODS) * len(CROWD_PORTS)),
    ],
    ids=["IPv4", "IPv6", "UDP", "node port", "crowd"],
)
def test_every_endpoint_gets_its_share(
    three_nodes: ThreeNodes, origin: str, service: str, target: Target, endpoints: int
) -> None:
    connections = max(1000, 10 * endpoints)
    where = resolve(three_nodes.cluster.lab.topology, SERVICES[f"default/{service}"], target)
    outcomes = three_nodes.asker.put(origin, where, connections)
    found = Counter((outcome.reply.pod, outcome.reply.port) for outcome in outcomes if outcome.reply)
    assert found.total() == connections
    assert len(found) <= endpoints
    # Pearson's chi-squared test, with Wilson and Hilferty's approximation of its quantile (PNAS 17, 1931).
    fair, freedom = connections / endpoints, endpoints - 1
    unasked = [0] * (endpoints - len(found))
    unfairness = sum((count - fair) ** 2 for count in (*found.values(), *unasked)) / fair
    spread = 2 / (9 * freedom)
    assert unfairness < freedom * (1 - spread + NormalDist().inv_cdf(1 - CHANCE) * spread**0.5) ** 3
