"""Rules as iptables-save prints them: taken apart, and only those of a long chain that may match."""

import random
from typing import Any

import pytest

from pykubeproxy.netfilter.indexed_ruleset import IndexedRuleset
from pykubeproxy.netfilter.rule import make_rule
from pykubeproxy.netfilter.syntax import Clause, parse_rule
from pykubeproxy.rules.parse import parse
from tests.netfilter.asking import document, meet


@pytest.mark.parametrize(
    ("printed", "comment"),
    [('"a \\"quoted\\" word"', 'a "quoted" word'), ('"back\\\\slash"', "back\\slash"), ("-j", "-j"), ('"!"', "!")],
)
def test_comments_may_hold_anything(printed: str, comment: str) -> None:
    parsed = parse_rule(f"-A X -m comment --comment {printed} -j ACCEPT")
    assert (parsed.comment, parsed.target) == (comment, Clause("ACCEPT", ()))


def test_what_people_write_is_understood_too() -> None:
    written = parse_rule("-A X --source 10.0.0.1 --protocol tcp --dport 80 --jump ACCEPT")
    assert written == parse_rule("-A X -s 10.0.0.1 -p tcp -m tcp --dport 80 -j ACCEPT")


LONG = 400


def indexed(*rules: str) -> IndexedRuleset:
    return IndexedRuleset(parse(document(filter="\n".join(f"X {rule}" for rule in rules)).splitlines()))


def found(rules: IndexedRuleset, address: str, port: int | None) -> list[tuple[int, str | None]]:
    return [(position, rule.target_name) for position, rule in rules.candidates("filter", "X", address, port)]


def random_match(source: random.Random) -> str:
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
    return f"{client}{address}-p tcp {comment}{port}{pick(('', '', '-m mark --mark 0x0 '))}"


@pytest.mark.parametrize("seed", range(5))
def test_the_index_leaves_out_only_what_cannot_match(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311 (nothing secret)
    matches = [random_match(source) for _ in range(LONG)]
    rules = indexed(*(f"{match}-j ACCEPT" for match in matches))
    left_out = 0
    for number in range(1, 6):
        fields: dict[str, Any] = {"destination": f"10.96.0.{number}", "destination_port": 80 + number}
        candidates = {position for position, _ in found(rules, *fields.values())}
        for match in (match for position, match in enumerate(matches, 1) if position not in candidates):
            left_out += 1
            assert meet(match, **fields) is False, match
    assert left_out > LONG


def test_candidates_come_in_order_with_their_positions() -> None:
    rules = [f"-d 10.96.0.{number % 50}/32 -p tcp -m tcp --dport 80 -j A{number}" for number in range(200)]
    rules.insert(100, "-p tcp -j B")
    expected = [(8, "A7"), (58, "A57"), (101, "B"), (109, "A107"), (159, "A157")]
    assert found(indexed(*rules), "10.96.0.7", 80) == expected


def test_an_unknown_port_may_be_any() -> None:
    rules = indexed(*(f"-p tcp -m tcp --dport {number} -j A{number}" for number in range(1, 101)))
    assert found(rules, "10.0.0.1", 7) == [(7, "A7")]
    assert len(found(rules, "10.0.0.1", None)) == 100


def test_rules_that_no_packet_meets_are_never_parsed() -> None:
    rules = indexed(*(f"-d 10.{n // 250}.{n % 250}.1/32 -p tcp -j ACCEPT" for n in range(20_000)))
    before = make_rule.cache_info().misses
    assert len(found(rules, "10.3.3.1", 80)) == 1
    assert make_rule.cache_info().misses - before <= 1
