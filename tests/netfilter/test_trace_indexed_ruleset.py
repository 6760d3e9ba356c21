"""Long chains: only the rules that may match are looked at, and they are the right ones."""

import random
from typing import Any

import pytest

from pykubeproxy.netfilter.indexed_ruleset import IndexedRuleset
from pykubeproxy.netfilter.rule import make_rule
from pykubeproxy.rules.parse import parse
from tests.netfilter.asking import document, meet

LONG = 400


def random_rule(source: random.Random) -> str:
    """A rule for some destination or port, or for neither, in one of many forms."""
    pick = source.choice
    number = source.randint(1, 5)
    address = pick(
        ("", f"-d 10.96.0.{number}/32 ", f"! -d 10.96.0.{number}/32 ", "-d 10.96.0.0/16 ", f"-d 10.96.0.{number}/31 ")
    )
    client = pick(("", "-s 10.244.0.0/16 ", "! -s 10.0.0.1/32 "))
    comment = pick(("", '-m comment --comment "a -d 10.96.0.9/32 --dport 99 -j X" ', "-m comment --comment --dport "))
    port = pick(
        ("", f"-m tcp --dport {80 + number} ", f"-m tcp ! --dport {80 + number} ", f"-m tcp --dport 81:{80 + number} ")
    )
    last = pick(("", "", "-m mark --mark 0x0 "))
    return f"X {client}{address}-p tcp {comment}{port}{last}-j ACCEPT"


@pytest.mark.parametrize("seed", range(5))
def test_the_index_leaves_out_only_what_cannot_match(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311 (nothing secret)
    rules = [random_rule(source) for _ in range(LONG)]
    ruleset = IndexedRuleset(parse(document(filter="\n".join(rules)).splitlines()))
    left_out = 0
    for number in range(1, 6):
        candidates = dict(ruleset.candidates("filter", "X", f"10.96.0.{number}", 80 + number))
        fields: dict[str, Any] = {"destination": f"10.96.0.{number}", "destination_port": 80 + number}
        for position, rule in enumerate(rules, 1):
            if position not in candidates:
                left_out += 1
                assert meet(rule.removeprefix("X ").removesuffix(" -j ACCEPT"), **fields) is False, rule
    assert left_out > LONG


def test_candidates_come_in_order_with_their_positions() -> None:
    rules = [f"X -d 10.96.0.{number % 50}/32 -p tcp -m tcp --dport 80 -j A{number}" for number in range(200)]
    rules.insert(100, "X -p tcp -j B")
    ruleset = IndexedRuleset(parse(document(filter="\n".join(rules)).splitlines()))
    found = [(position, rule.target_name) for position, rule in ruleset.candidates("filter", "X", "10.96.0.7", 80)]
    assert found == [(8, "A7"), (58, "A57"), (101, "B"), (109, "A107"), (159, "A157")]


def test_an_unknown_port_may_be_any() -> None:
    rules = [f"X -p tcp -m tcp --dport {number} -j A{number}" for number in range(1, 101)]
    ruleset = IndexedRuleset(parse(document(filter="\n".join(rules)).splitlines()))
    assert [rule.target_name for _, rule in ruleset.candidates("filter", "X", "10.0.0.1", 7)] == ["A7"]
    assert len(list(ruleset.candidates("filter", "X", "10.0.0.1", None))) == 100


def test_rules_that_no_packet_meets_are_never_parsed() -> None:
    rules = [f"X -d 10.{number // 250}.{number % 250}.1/32 -p tcp -j ACCEPT" for number in range(20_000)]
    ruleset = IndexedRuleset(parse(document(filter="\n".join(rules)).splitlines()))
    before = make_rule.cache_info().misses
    assert len(list(ruleset.candidates("filter", "X", "10.3.3.1", 80))) == 1
    assert make_rule.cache_info().misses - before <= 1


def test_an_ipv6_address_may_be_written_with_dots() -> None:
    rules = [f"X -d fd00::{number:x}/128 -p tcp -j A{number}" for number in range(1, 100)]
    rules.append("X -d ::10.0.0.1/128 -p tcp -j MIXED")
    ruleset = IndexedRuleset(parse(document(filter="\n".join(rules)).splitlines()))
    assert [rule.target_name for _, rule in ruleset.candidates("filter", "X", "::a00:1", 80)] == ["MIXED"]
    assert [rule.target_name for _, rule in ruleset.candidates("filter", "X", "fd00::7", 80)] == ["A7", "MIXED"]
