"""A trace without the steps that changed nothing, and with similar branches joined."""

from fractions import Fraction
from typing import Any

from pykubeproxy.explain.condensed import CondensedNode, condense, is_arrival, service_of
from pykubeproxy.netfilter import Action, Trace, trace
from pykubeproxy.rules.compile import compile_ruleset
from tests.builders import options, service, slice_of, snapshot
from tests.netfilter.asking import NODE, packet


def traced(*addresses: str, **fields: Any) -> Trace:
    objects = (service("ns1/svc1", "10.96.0.1"), slice_of("ns1/svc1", *addresses))
    return trace(compile_ruleset(snapshot(*objects), options()), packet(**fields), NODE)


def ends(node: CondensedNode) -> Fraction:
    """The sum of the probabilities of all results, those of similar branches included."""
    own = node.probability if node.result is not None else Fraction(0)
    return (
        own
        + sum((other.probability for other in node.similar), Fraction(0))
        + sum(map(ends, node.branches), Fraction(0))
    )


def test_no_share_is_lost() -> None:
    for count in (1, 2, 5, 300):
        addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(count)]
        assert ends(condense(traced(*addresses).tree)) == 1
        assert ends(condense(traced(*addresses).tree, all_steps=True)) == 1


def test_groups_of_endpoints_are_left_out() -> None:
    addresses = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(300)]
    (first,) = condense(traced(*addresses).tree).branches
    assert len(first.similar) == 299


def test_equal_branches_may_be_kept_apart() -> None:
    tree = traced("10.0.1.1", "10.0.1.2", "10.0.1.3").tree
    assert [len(branch.similar) for branch in condense(tree).branches] == [2]
    assert [len(branch.similar) for branch in condense(tree, max_similar=3).branches] == [0, 0, 0]


def test_a_branch_that_is_masqueraded_is_not_similar() -> None:
    node = condense(traced("10.0.1.1", "10.0.1.2", "10.0.1.3", source="10.0.1.2").tree)
    masqueraded = [branch.result.masquerade for branch in node.branches if branch.result]
    assert sorted(masqueraded) == [False, True]


def test_jumps_that_came_back_are_left_out() -> None:
    (first,) = condense(traced("10.0.1.1", "10.0.1.2").tree).branches
    assert {step.table for step in first.steps} == {"nat", ""}
    assert not any(step.action in (Action.RETURN, Action.POLICY) for step in first.steps)
    assert is_arrival(first.steps[-1])


def test_the_service_is_named() -> None:
    found = traced("10.0.1.1")
    assert service_of(found.outcomes[0].path) == "ns1/svc1:p80"
    assert service_of(traced("10.0.1.1", destination="10.9.9.9").outcomes[0].path) == ""
    assert service_of(traced().outcomes[0].path) == "ns1/svc1:p80"
