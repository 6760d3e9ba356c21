"""What of a Plan is worth a note beside its words: the order of rules, what stays as it is, and its numbers."""

import pytest

from pykubeproxy.explain.chain_diff import OrderProblem, chain_diff
from pykubeproxy.explain.notes import ipvs_removal
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.rules.ruleset import Lines

SAME, OTHER = OrderProblem.SAME_RULES, OrderProblem.OTHER_RULES
STALE = "KUBE-SVC-AAAAAAAAAAAAAAAA"


def change(before: Lines | str | None, after: Lines | str | None, chain: str = STALE) -> ChainChange:
    """A change of a chain; of a text, each letter is a rule."""
    rules = [None if lines is None else tuple(lines) for lines in (before, after)]
    return ChainChange(table="nat", chain=chain, before=rules[0], after=rules[1])


@pytest.mark.parametrize(
    ("before", "after", "action", "removed", "added"),
    [
        (None, "a", "added", "", "a"),
        ("ab", None, "removed", "ab", ""),
        ("ab", "", "changed", "ab", ""),
        ("ab", "ac", "changed", "b", "c"),
        ("aa", "a", "changed", "a", ""),
    ],
)
def test_rules_that_go_and_come(before: str | None, after: str | None, action: str, removed: str, added: str) -> None:
    found = chain_diff(change(before, after))
    assert (found.action, found.removed, found.added, found.order) == (action, (*removed,), (*added,), None)


@pytest.mark.parametrize(
    ("before", "after", "order"),
    [("abc", "cba", SAME), ("abc", "bad", OTHER), ("aba", "baa", SAME), ("xab", "ayb", None)],
)
def test_the_order_of_the_rules_that_stay(before: str, after: str, order: OrderProblem | None) -> None:
    assert chain_diff(change(before, after)).order == order


LINK, SETS = ("kube-ipvs0",), ("KUBE-6-LOOP-BACK", "KUBE-CLUSTER-IP")


@pytest.mark.parametrize(
    ("leftovers", "command"),
    [
        (Leftovers(interfaces=LINK), "ip link delete kube-ipvs0"),
        (Leftovers(interfaces=LINK, has_virtual_services=True), "ipvsadm --clear; ip link delete kube-ipvs0"),
        (
            Leftovers(ip_sets=SETS, has_virtual_services=True),
            "ipset destroy KUBE-6-LOOP-BACK; ipset destroy KUBE-CLUSTER-IP",
        ),
    ],
)
def test_virtual_services_are_only_cleared_with_kube_proxys_interface(leftovers: Leftovers, command: str) -> None:
    """The words for tables of other programs are seen where `diff` prints them."""
    assert ipvs_removal(leftovers) == command
