"""Matches that depend on chance, and on clients seen before."""

from fractions import Fraction

import pytest

from pykubeproxy.netfilter import Environment, Verdict
from pykubeproxy.netfilter.matches.statistic import read_probability
from pykubeproxy.rules.text import probability
from tests.netfilter.asking import NODE, follow, meet, only, reason_of


@pytest.mark.parametrize("n", [*range(2, 200), 333, 999, 1000, 5000, 10000, 20000])
def test_a_printed_probability_means_one_in_n(n: int) -> None:
    assert read_probability(probability(1, n)) == Fraction(1, n)
    assert read_probability(f"{1 / n:.10f}") == Fraction(1, n)


@pytest.mark.parametrize(("chosen", "choices"), [(16, 1000), (16, 984), (7, 129), (31, 4000), (2, 3)])
def test_groups_of_endpoints_have_their_share(chosen: int, choices: int) -> None:
    assert read_probability(probability(chosen, choices)) == Fraction(chosen, choices)


def test_a_probability_that_is_no_simple_fraction_stays_as_it_is() -> None:
    assert read_probability("0.00000000047") == Fraction(1, 2**31)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--mode random --probability 0.50000000000", Fraction(1, 2)),
        ("--mode random ! --probability 0.25000000000", Fraction(3, 4)),
        ("--mode random --probability 0.30000000000", Fraction(3, 10)),
        ("--mode random --probability 0.00000000000", False),
        ("--mode random --probability 1.00000000000", True),
        ("--mode random ! --probability 1.00000000000", False),
        ("--mode nth --every 3 --packet 0", Fraction(1, 3)),
        ("--mode nth ! --every 4 --packet 1", Fraction(3, 4)),
        ("--mode random --probability 1.5", "-m statistic --mode random --probability 1.5"),
        ("--mode random --probability often", "-m statistic --mode random --probability often"),
    ],
)
def test_statistic(text: str, expected: object) -> None:
    assert meet(f"-m statistic {text}") == expected


def test_chances_of_one_rule_multiply() -> None:
    half = "-m statistic --mode random --probability 0.50000000000"
    assert meet(f"{half} {half}") == Fraction(1, 4)


def affinity_dump(endpoints: int) -> dict[str, str]:
    """A Service with session affinity, as kube-proxy writes it."""
    mask = "--mask 255.255.255.255 --rsource"
    lines = ["PREROUTING -j SVC"]
    lines += [f"SVC -m recent --rcheck --seconds 9 --reap --name SEP-{i} {mask} -j SEP-{i}" for i in range(endpoints)]
    for i in range(endpoints - 1):
        lines.append(f"SVC -m statistic --mode random --probability {probability(1, endpoints - i)} -j SEP-{i}")
    lines.append(f"SVC -j SEP-{endpoints - 1}")
    lines += [
        f"SEP-{i} -p tcp -m recent --set --name SEP-{i} {mask} -m tcp -j DNAT --to-destination 10.1.0.{i + 1}:80"
        for i in range(endpoints)
    ]
    return {"nat": "\n".join(lines)}


def test_a_client_that_was_not_seen_before_may_go_anywhere() -> None:
    found = follow(dump=affinity_dump(3))
    assert {outcome.dnat: outcome.probability for outcome in found.outcomes} == {
        "10.1.0.1:80": Fraction(1, 3),
        "10.1.0.2:80": Fraction(1, 3),
        "10.1.0.3:80": Fraction(1, 3),
    }
    assert found.affinity == ("10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80")


@pytest.mark.parametrize("endpoint", ["10.1.0.1:80", "10.1.0.3:80"])
def test_a_client_that_was_seen_goes_there_again(endpoint: str) -> None:
    environment = Environment(addresses=NODE.addresses, seen_at=endpoint)
    assert only(follow(environment, dump=affinity_dump(3))).dnat == endpoint


def test_lists_may_be_named_instead() -> None:
    environment = Environment(addresses=NODE.addresses, recent=frozenset({"SEP-1"}))
    assert only(follow(environment, dump=affinity_dump(3))).dnat == "10.1.0.2:80"


def test_without_session_affinity_nobody_asks() -> None:
    assert follow(dump={"nat": "PREROUTING -j ACCEPT"}).affinity == ()


def test_what_one_rule_writes_down_another_one_reads() -> None:
    rules = """
        INPUT -m recent --rcheck --name a -j DROP
        INPUT -m recent --set --name a
        INPUT -m recent --update --name a -j REJECT
    """
    found = only(follow(dump={"filter": rules}, destination="10.0.0.1"))
    assert found.verdict is Verdict.REJECT


DROP_IF_THERE = "INPUT -m recent --rcheck --name a -j DROP"


@pytest.mark.parametrize(
    ("before", "rule", "dropped"),
    [
        ("INPUT -m recent --set --name a", DROP_IF_THERE, True),
        ("INPUT -m recent --set --name b", DROP_IF_THERE, False),
        ("INPUT -m recent --set --name a\nINPUT -m recent --remove --name a", DROP_IF_THERE, False),
        ("INPUT -m recent --set --name a --rdest", DROP_IF_THERE, False),
        ("INPUT -m recent --set --name a -p udp", DROP_IF_THERE, False),
        ("INPUT -m recent --set --name a -m mark --mark 0x5", DROP_IF_THERE, True),
        ("INPUT -m recent --set --name a", "INPUT -m recent ! --rcheck --name a -j DROP", False),
        ("", "INPUT -m recent ! --rcheck --name a -j DROP", True),
        ("", "INPUT -m recent ! --set --name a -j DROP", False),
        ("", "INPUT -m recent --remove --name a -j DROP", False),
    ],
)
def test_lists_in_other_ways(before: str, rule: str, *, dropped: bool) -> None:
    found = only(follow(dump={"filter": f"{before}\n{rule}"}, destination="10.0.0.1"))
    assert found.verdict is (Verdict.DROP if dropped else Verdict.ACCEPT)


def test_how_often_a_client_was_seen_is_not_known() -> None:
    environment = Environment(addresses=NODE.addresses, recent=frozenset({"ssh"}))
    rules = "INPUT -m recent --update --seconds 60 --hitcount 4 --name ssh --rsource -j DROP"
    seen = only(follow(environment, dump={"filter": rules}, destination="10.0.0.1"))
    assert seen.verdict is Verdict.UNDECIDED
    assert reason_of(seen) == "cannot decide: -m recent --update --seconds 60 --hitcount 4 --name ssh --rsource"
    assert only(follow(dump={"filter": rules}, destination="10.0.0.1")).verdict is Verdict.ACCEPT
