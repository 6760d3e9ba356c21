"""What of a Plan is worth a note beside its words: the order of rules, what stays as it is, and its numbers."""

import pytest

from pykubeproxy.explain.chain_diff import OrderProblem, chain_diff
from pykubeproxy.explain.notes import ipvs_removal
from pykubeproxy.explain.staying import disordered_jumps, repeated_jumps
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.plan.diff import ChainChange
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import Lines, Ruleset, Table
from pykubeproxy.rules.skeleton import JUMPS

SAME, OTHER, LAST = OrderProblem.SAME_RULES, OrderProblem.OTHER_RULES, OrderProblem.NODE_PORTS_NOT_LAST
NODE_PORTS = "-A KUBE-SERVICES -j KUBE-NODEPORTS"
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
    assert chain_diff(change(live, ("s1", "s3", NODE_PORTS), "KUBE-SERVICES")).order == order


def live(table: str, chain: str, *lines: str) -> Ruleset:
    return Ruleset(tables={table: Table(chains={chain: lines})})


FORWARD = JUMPS["filter", "FORWARD"]
INPUT = JUMPS["filter", "INPUT"]
KUBELETS = next(jump for jump in INPUT if target_of(jump) == "KUBE-FIREWALL")
OURS = [jump for jump in INPUT if jump != KUBELETS]


@pytest.mark.parametrize(
    ("place", "jumps", "is_disordered"),
    [
        *((place, jumps, False) for place, jumps in JUMPS.items()),
        (("filter", "FORWARD"), FORWARD[::-1], True),
        (("filter", "FORWARD"), (FORWARD[1], FORWARD[0]), True),
        (("filter", "FORWARD"), (FORWARD[3], "-A FORWARD -j X", FORWARD[0]), True),
        (("filter", "FORWARD"), (FORWARD[0], *FORWARD), False),
        (("filter", "INPUT"), (*OURS, KUBELETS), False),
        (("filter", "INPUT"), (OURS[0], KUBELETS, *OURS[1:]), False),
    ],
)
def test_jumps_in_another_order(place: tuple[str, str], jumps: Lines, *, is_disordered: bool) -> None:
    """Of kubelet's own jump the place is not ours to judge."""
    found = [(its.table, its.chain) for its in disordered_jumps(live(*place, *jumps))]
    assert found == ([place] if is_disordered else [])


def test_of_what_is_there_twice_only_our_jumps_are_told() -> None:
    twice = live("filter", "FORWARD", FORWARD[0], *FORWARD, "-A FORWARD -j X", "-A FORWARD -j X")
    assert [(jump.chain, jump.rule, jump.count) for jump in repeated_jumps(twice)] == [("FORWARD", FORWARD[0], 2)]


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
