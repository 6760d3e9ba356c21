"""What changes in one chain: rules, and their order where that matters."""

import pytest

from pykubeproxy.explain.chain_lines import chain_lines
from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.rules.ruleset import Lines

OWN, SERVICES = "KUBE-SVC-AAAAAAAAAAAAAAAA", "KUBE-SERVICES"
SAME, OTHER = "the same rules in another order", "the rules that stay come in another order"
LAST = "the rule that leads to the node ports is not the last one, which it must be"
NODE_PORTS = "-A KUBE-SERVICES -j KUBE-NODEPORTS"


def change(before: Lines | None, after: Lines | None, chain: str = OWN, table: str = "nat") -> ChainChange:
    return ChainChange(table=table, chain=chain, before=before, after=after)


@pytest.mark.parametrize(
    ("before", "after", "sign", "removed", "added"),
    [
        (None, ("a",), "+", (), ("a",)),
        (("a", "b"), None, "-", ("a", "b"), ()),
        (("a", "b"), (), "~", ("a", "b"), ()),
        (("a", "b"), ("a", "c"), "~", ("b",), ("c",)),
        (("a", "a"), ("a",), "~", ("a",), ()),
    ],
)
def test_rules_that_go_and_come(
    before: Lines | None, after: Lines | None, sign: str, removed: Lines, added: Lines
) -> None:
    lines = chain_lines(change(before, after))
    assert (lines.sign, lines.removed, lines.added, lines.order) == (sign, removed, added, "")
    assert (lines.side(added=False), lines.side(added=True)) == (removed, added)
    assert not lines.has_only_order


@pytest.mark.parametrize(
    ("before", "after", "order"),
    [
        (("a", "b", "c"), ("c", "b", "a"), SAME),
        (("a", "b", "c"), ("b", "a", "d"), OTHER),
        (("a", "b", "a"), ("b", "a", "a"), SAME),
        (("x", "a", "b"), ("a", "y", "b"), ""),
    ],
)
def test_the_order_of_the_rules_that_stay(before: Lines, after: Lines, order: str) -> None:
    lines = chain_lines(change(before, after))
    assert lines.order == order
    assert lines.has_only_order == (order == SAME)


@pytest.mark.parametrize(
    ("live", "order"),
    [
        (("s1", "s2", NODE_PORTS), ""),
        (("s2", "s1", NODE_PORTS), ""),
        (("s1", NODE_PORTS, "s2"), LAST),
        (("s1", NODE_PORTS, NODE_PORTS), ""),
        (("s1", "s2"), ""),
    ],
)
def test_among_services_only_what_must_be_last_has_a_place(live: Lines, order: str) -> None:
    assert chain_lines(change(live, ("s1", "s3", NODE_PORTS), SERVICES)).order == order
