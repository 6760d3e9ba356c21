"""Chains: jumps, returns, gotos, policies."""

import pytest

from pykubeproxy.explain.event_words import event_text
from pykubeproxy.netfilter import Verdict
from tests.netfilter.asking import follow, only, reason_of, rules_met

TO_NODE = "10.0.0.1"
DROP = ":INPUT DROP [0:0]\n"


def met(rules: str) -> tuple[Verdict, list[str]]:
    found = only(follow(dump={"filter": rules}, destination=TO_NODE))
    return found.verdict, [rule.removeprefix("filter INPUT: ") for rule in rules_met(found)]


def test_a_chain_returns_to_the_next_rule() -> None:
    rules = "INPUT -j one\none -s 192.0.2.1/32 -j ACCEPT\nINPUT -j DROP"
    assert met(rules) == (Verdict.DROP, ["INPUT -j one", "INPUT -j DROP"])


def test_return_leaves_only_its_own_chain() -> None:
    rules = "INPUT -j one\none -j two\ntwo -j RETURN\ntwo -j ACCEPT\none -j DROP\nINPUT -j ACCEPT"
    assert met(rules) == (Verdict.DROP, ["INPUT -j one", "one -j two", "two -j RETURN", "one -j DROP"])


def test_goto_returns_to_the_caller_of_the_chain() -> None:
    rules = "INPUT -j one\none -g two\ntwo -p udp -j ACCEPT\none -j ACCEPT\nINPUT -j DROP"
    assert met(rules) == (Verdict.DROP, ["INPUT -j one", "one -g two", "INPUT -j DROP"])


def test_goto_from_a_built_in_chain_ends_in_its_policy() -> None:
    rules = f"{DROP}INPUT -g one\none -j RETURN\nINPUT -j ACCEPT"
    assert met(rules) == (Verdict.DROP, ["INPUT -g one", "one -j RETURN"])


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ("INPUT -s 192.0.2.1/32 -j DROP", Verdict.ACCEPT),
        (f"{DROP}INPUT -s 192.0.2.1/32 -j ACCEPT", Verdict.DROP),
        (f"{DROP}INPUT -j RETURN\nINPUT -j ACCEPT", Verdict.DROP),
        (DROP, Verdict.DROP),
        ("", Verdict.ACCEPT),
    ],
)
def test_policies(rules: str, verdict: Verdict) -> None:
    assert met(rules)[0] is verdict


def test_every_step_tells_its_place() -> None:
    found = only(
        follow(dump={"filter": "INPUT -p udp\nINPUT -j one\none -p udp\none -p udp\none -j DROP"}, destination=TO_NODE)
    )
    jump, drop = (step for step in found.path if step.rule)
    assert (jump.hook, jump.table, jump.chain, jump.position, jump.depth) == ("INPUT", "filter", "INPUT", 2, 0)
    assert (drop.chain, drop.position, drop.depth, event_text(drop.event)) == ("one", 3, 1, "DROP")


def test_a_chain_may_be_named_like_a_target() -> None:
    assert met("INPUT -j TRACE\nTRACE -j DROP")[0] is Verdict.DROP


def test_a_chain_that_is_missing_is_a_fork() -> None:
    found = only(follow(dump={"filter": "INPUT -j missing"}, destination=TO_NODE))
    assert (found.verdict, reason_of(found)) == (Verdict.UNDECIDED, "cannot decide: -j missing lets the packet pass")


@pytest.mark.parametrize(
    "rules",
    [
        "INPUT -j one\none -j one",
        "INPUT -j one\none -j two\ntwo -j one",
        "INPUT -g one\none -g two\ntwo -g one",
        "INPUT -j one\none -j two\none -j two\ntwo -j one\ntwo -j one",
    ],
)
def test_jumps_in_a_circle_end(rules: str) -> None:
    found = only(follow(dump={"filter": rules}, destination=TO_NODE))
    assert (found.verdict, reason_of(found)) == (
        Verdict.UNDECIDED,
        "chain one jumps in a circle, which no kernel accepts",
    )


def test_a_tower_of_chains_ends_too() -> None:
    rules = "\n".join(["INPUT -j c0", *(f"c{number} -j c{number + 1}" for number in range(500)), "c500 -j ACCEPT"])
    assert only(follow(dump={"filter": rules}, destination=TO_NODE)).verdict is Verdict.UNDECIDED
