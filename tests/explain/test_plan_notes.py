"""What of a Plan is worth a note beside its words: the order of rules, what stays as it is, and its numbers."""

import pytest

from pykubeproxy.explain.chain_diff import OrderProblem, chain_diff
from pykubeproxy.explain.notes import ipvs_removal, ipvs_text
from pykubeproxy.explain.staying import disordered_jumps, kept_rules, repeated_jumps, stale_chains
from pykubeproxy.explain.summary import Summary, summarize
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.plan.diff import ChainChange, Plan, RuleDelete, RuleInsert, diff
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


def test_only_rules_of_others_in_tables_that_are_written_to_are_kept() -> None:
    assert not list(kept_rules(live("mangle", "FORWARD", "-A FORWARD -j X")))
    assert not list(kept_rules(live("filter", "FORWARD", *FORWARD)))
    (kept,) = kept_rules(live("nat", "DOCKER", "-A DOCKER -j X"))
    assert (kept.table, kept.chain, kept.rules) == ("nat", "DOCKER", ("-A DOCKER -j X",))


def test_a_stale_chain_stays_for_the_rules_that_lead_there() -> None:
    leads = f"-A OUTPUT -d 192.0.2.1/32 -g {STALE}"
    names_only = f'-A OUTPUT -m comment --comment "not to {STALE}" -j X'
    found = live("nat", "OUTPUT", names_only, leads)
    found.tables["nat"].chains[STALE] = ()
    found.tables["filter"] = Table(chains={"OUTPUT": (leads,)})
    (stale,) = stale_chains(diff(Ruleset(), found), tuple(kept_rules(found)))
    assert (stale.table, stale.chain, stale.used_by) == ("nat", STALE, (leads,))


INSERT = RuleInsert(table="nat", chain="OUTPUT", position=1, line="x")
DELETE = RuleDelete(table="nat", chain="OUTPUT", line="x")
ELSEWHERE = RuleInsert(table="filter", chain="OUTPUT", position=1, line="x")


@pytest.mark.parametrize(
    ("plan", "chains", "rules"),
    [
        (Plan(), (0, 0, 0), (0, 0)),
        (Plan(chains=(change(None, "ab"),)), (1, 0, 0), (2, 0)),
        (Plan(chains=(change(None, ""),)), (1, 0, 0), (0, 0)),
        (Plan(chains=(change("ab", None),)), (0, 0, 1), (0, 2)),
        (Plan(chains=(change("abc", "acd"),)), (0, 1, 0), (1, 1)),
        (Plan(chains=(change("ab", "ba"),)), (0, 1, 0), (0, 0)),
        (Plan(chains=(change("a", "aaa"),)), (0, 1, 0), (2, 0)),
        (Plan(inserts=(INSERT, INSERT, ELSEWHERE)), (0, 2, 0), (3, 0)),
        (Plan(inserts=(INSERT,), deletes=(DELETE,)), (0, 1, 0), (1, 1)),
        (Plan(chains=(change(None, "a"), change("a", None), change("a", "b"))), (1, 1, 1), (2, 2)),
    ],
)
def test_counts(plan: Plan, chains: tuple[int, int, int], rules: tuple[int, int]) -> None:
    found = summarize(plan)
    assert (found.chains_added, found.chains_changed, found.chains_removed) == chains
    assert (found.rules_added, found.rules_removed) == rules


def test_counts_of_families_add_up() -> None:
    both = summarize(Plan(chains=(change(None, "ab"),))) + summarize(Plan(chains=(change("a", None),)))
    assert both == Summary(chains_added=1, chains_removed=1, rules_added=2, rules_removed=1)


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


def test_all_that_ipvs_mode_left_is_named() -> None:
    assert ipvs_text(Leftovers(interfaces=LINK, ip_sets=SETS)).startswith(
        "left by kube-proxy's ipvs mode: interface kube-ipvs0; IP sets KUBE-6-LOOP-BACK, KUBE-CLUSTER-IP; to remove"
    )
