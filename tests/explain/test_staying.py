"""What a Plan leaves as it is: foreign rules, jump rules in another order or too often, and chains in use."""

import pytest

from pykubeproxy.explain.staying import (
    DisorderedJumps,
    KeptRules,
    disordered_jumps,
    kept_rules,
    repeated_jumps,
    stale_chains,
)
from pykubeproxy.plan.diff import diff
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import Lines, Ruleset, Table
from pykubeproxy.rules.skeleton import JUMPS

FORWARD = JUMPS["filter", "FORWARD"]
INPUT = JUMPS["filter", "INPUT"]
STALE = "KUBE-SVC-AAAAAAAAAAAAAAAA"


def live(table: str, chain: str, *lines: str) -> Ruleset:
    return Ruleset(tables={table: Table(chains={chain: lines})})


def test_a_fresh_node_is_in_order() -> None:
    for (table, chain), jumps in JUMPS.items():
        fresh = live(table, chain, *jumps)
        assert not list(disordered_jumps(fresh))
        assert not list(repeated_jumps(fresh))
        assert not list(kept_rules(fresh))


@pytest.mark.parametrize(
    "jumps", [FORWARD[::-1], (FORWARD[1], FORWARD[0]), (FORWARD[3], "-A FORWARD -j X", FORWARD[0])]
)
def test_another_order(jumps: Lines) -> None:
    assert list(disordered_jumps(live("filter", "FORWARD", *jumps))) == [DisorderedJumps("filter", "FORWARD")]


def test_kubelet_may_put_its_own_jump_anywhere() -> None:
    firewall = next(jump for jump in INPUT if target_of(jump) == "KUBE-FIREWALL")
    ours = [jump for jump in INPUT if jump != firewall]
    assert not list(disordered_jumps(live("filter", "INPUT", *ours, firewall)))
    assert not list(disordered_jumps(live("filter", "INPUT", ours[0], firewall, *ours[1:])))


def test_a_jump_that_is_there_twice_is_not_disordered_jumps() -> None:
    twice = live("filter", "FORWARD", FORWARD[0], *FORWARD, "-A FORWARD -j X", "-A FORWARD -j X")
    assert not list(disordered_jumps(twice))
    assert [(jump.chain, jump.rule, jump.count) for jump in repeated_jumps(twice)] == [("FORWARD", FORWARD[0], 2)]


def test_only_tables_that_are_written_to_have_rules_to_keep() -> None:
    assert not list(kept_rules(live("mangle", "FORWARD", "-A FORWARD -j X")))
    assert list(kept_rules(live("nat", "DOCKER", "-A DOCKER -j X"))) == [
        KeptRules("nat", "DOCKER", ("-A DOCKER -j X",))
    ]


def test_a_stale_chain_stays_for_the_rules_that_lead_there() -> None:
    leads = f"-A OUTPUT -d 192.0.2.1/32 -g {STALE}"
    names_only = f'-A OUTPUT -m comment --comment "not to {STALE}" -j X'
    found = live("nat", "OUTPUT", names_only, leads)
    found.tables["nat"].chains[STALE] = ()
    found.tables["filter"] = Table(chains={"OUTPUT": (leads,)})
    kept = tuple(kept_rules(found))
    (stale,) = stale_chains(diff(Ruleset(), found), kept)
    assert (stale.table, stale.chain, stale.used_by) == ("nat", STALE, (leads,))
