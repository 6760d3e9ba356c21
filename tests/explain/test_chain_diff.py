"""What changes in one chain: rules, and their order where that matters."""

import pytest

from pykubeproxy.explain.chain_diff import OrderProblem, chain_diff
from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.rules.ruleset import Lines

OWN, SERVICES = "KUBE-SVC-AAAAAAAAAAAAAAAA", "KUBE-SERVICES"
SAME, OTHER, LAST = OrderProblem.SAME_RULES, OrderProblem.OTHER_RULES, OrderProblem.NODE_PORTS_NOT_LAST
NODE_PORTS = "-A KUBE-SERVICES -j KUBE-NODEPORTS"


def change(before: Lines | None, after: Lines | None, chain: str = OWN, table: str = "nat") -> ChainChange:
    return ChainChange(table=table, chain=chain, before=before, after=after)


@pytest.mark.parametrize(
    ("before", "after", "action", "removed", "added"),
    [
        (None, ("a",), "added", (), ("a",)),
        (("a", "b"), None, "removed", ("a", "b"), ()),
        (("a", "b"), (), "changed", ("a", "b"), ()),
        (("a", "b"), ("a", "c"), "changed", ("b",), ("c",)),
        (("a", "a"), ("a",), "changed", ("a",), ()),
    ],
)
def test_rules_that_go_and_come(
    before: Lines | None, after: Lines | None, action: str, removed: Lines, added: Lines
) -> None:
    diff = chain_diff(change(before, after))
    assert (diff.action, diff.removed, diff.added, diff.order) == (action, removed, added, None)


@pytest.mark.parametrize(
    ("before", "after", "order"),
    [
        (("a", "b", "c"), ("c", "b", "a"), SAME),
        (("a", "b", "c"), ("b", "a", "d"), OTHER),
        (("a", "b", "a"), ("b", "a", "a"), SAME),
        (("x", "a", "b"), ("a", "y", "b"), None),
    ],
)
def test_the_order_of_the_rules_that_stay(before: Lines, after: Lines, order: OrderProblem | None) -> None:
    assert chain_diff(change(before, after)).order == order


@pytest.mark.parametrize(
    ("live", "order"),
    [
        (("s1", "s2", NODE_PORTS), None),
        (("s2", "s1", NODE_PORTS), None),
        (("s1", NODE_PORTS, "s2"), LAST),
        (("s1", NODE_PORTS, NODE_PORTS), None),
        (("s1", "s2"), None),
    ],
)
def test_among_services_only_what_must_be_last_has_a_place(live: Lines, order: OrderProblem | None) -> None:
    assert chain_diff(change(live, ("s1", "s3", NODE_PORTS), SERVICES)).order == order
