"""A trace on one screen: without the steps that changed nothing, similar branches joined, each question asked once."""

from fractions import Fraction
from typing import Any

import pytest

from pykubeproxy.explain.condensed import CondensedNode, condense, is_arrival, service_of
from pykubeproxy.netfilter import Action, Trace
from tests.explain.comparison import traced


def traced_to(count: int, **fields: Any) -> Trace:
    """To a Service with so many endpoints, of which the first is 10.0.0.1."""
    return traced(*(f"10.0.{number // 250}.{number % 250 + 1}" for number in range(count)), **fields)


def ends(node: CondensedNode) -> Fraction:
    """The sum of the probabilities of all results, those of similar branches included."""
    own = node.probability if node.result is not None else Fraction(0)
    similar = sum((other.probability for other in node.similar), Fraction(0))
    return own + similar + sum(map(ends, node.branches), Fraction(0))


@pytest.mark.parametrize("count", [1, 2, 5, 300])
@pytest.mark.parametrize("all_steps", [True, False])
def test_no_share_is_lost(count: int, *, all_steps: bool) -> None:
    assert ends(condense(traced_to(count).tree, all_steps=all_steps)) == 1


def test_equal_branches_are_joined_even_of_groups_unless_they_are_to_be_kept_apart() -> None:
    assert [len(branch.similar) for branch in condense(traced_to(300).tree).branches] == [299]
    assert [len(branch.similar) for branch in condense(traced_to(3).tree, max_similar=3).branches] == [0, 0, 0]


def test_a_branch_that_is_masqueraded_is_not_similar() -> None:
    node = condense(traced_to(3, source="10.0.0.2").tree)
    assert sorted(branch.result.masquerade for branch in node.branches if branch.result) == [False, True]


def test_jumps_that_came_back_are_left_out() -> None:
    (first,) = condense(traced_to(2).tree).branches
    assert {step.table for step in first.steps} == {"nat", ""}
    assert not any(step.action in (Action.RETURN, Action.POLICY) for step in first.steps)
    assert is_arrival(first.steps[-1])


@pytest.mark.parametrize(
    ("count", "destination", "name"),
    [(1, "10.96.0.1", "ns1/svc1:p80"), (0, "10.96.0.1", "ns1/svc1:p80"), (1, "10.9.9.9", "")],
)
def test_the_service_is_named(count: int, destination: str, name: str) -> None:
    assert service_of(traced_to(count, destination=destination).outcomes[0].path) == name
