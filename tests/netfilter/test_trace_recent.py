"""Clients seen before: `-m recent`, and session affinity, which is made of it."""

import pytest

from pykubeproxy.netfilter import Environment, Verdict
from tests.netfilter.asking import NODE, follow, only, reason_of

MASK = "--mask 255.255.255.255 --rsource"
ENDPOINTS = ("10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80")
# A Service with session affinity, as kube-proxy writes it.
AFFINITY = {
    "nat": "\n".join(
        (
            "PREROUTING -j SVC",
            *(f"SVC -m recent --rcheck --seconds 9 --reap --name SEP-{i} {MASK} -j SEP-{i}" for i in range(3)),
            "SVC -m statistic --mode random --probability 0.33333333349 -j SEP-0",
            "SVC -m statistic --mode random --probability 0.50000000000 -j SEP-1",
            "SVC -j SEP-2",
            *(
                f"SEP-{i} -p tcp -m recent --set --name SEP-{i} {MASK} -m tcp -j DNAT --to-destination {endpoint}"
                for i, endpoint in enumerate(ENDPOINTS)
            ),
        )
    )
}


def test_a_client_that_was_not_seen_before_may_go_anywhere() -> None:
    found = follow(dump=AFFINITY)
    assert [outcome.dnat for outcome in found.outcomes] == list(ENDPOINTS)
    assert len({outcome.probability for outcome in found.outcomes}) == 1
    assert found.affinity == ENDPOINTS
    assert follow(dump={"nat": "PREROUTING -j ACCEPT"}).affinity == (), "without session affinity nobody asks"


def test_a_client_that_was_seen_goes_there_again() -> None:
    for endpoint in ENDPOINTS:
        environment = Environment(addresses=NODE.addresses, seen_at=endpoint)
        assert only(follow(environment, dump=AFFINITY)).dnat == endpoint
    by_list = Environment(addresses=NODE.addresses, recent=frozenset({"SEP-1"}))
    assert only(follow(by_list, dump=AFFINITY)).dnat == ENDPOINTS[1]


DROP_IF_THERE = "INPUT -m recent --rcheck --name a -j DROP"


@pytest.mark.parametrize(
    ("before", "rule", "dropped"),
    [
        ("INPUT -m recent --set --name a", DROP_IF_THERE, True),
        ("INPUT -m recent --set --name a", "INPUT -m recent --update --name a -j DROP", True),
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
def test_what_one_rule_writes_down_another_one_reads(before: str, rule: str, *, dropped: bool) -> None:
    found = only(follow(dump={"filter": f"{before}\n{rule}"}, destination="10.0.0.1"))
    assert found.verdict is (Verdict.DROP if dropped else Verdict.ACCEPT)


def test_how_often_a_client_was_seen_is_not_known() -> None:
    match = "-m recent --update --seconds 60 --hitcount 4 --name ssh --rsource"
    dump = {"filter": f"INPUT {match} -j DROP"}
    seen_before = Environment(addresses=NODE.addresses, recent=frozenset({"ssh"}))
    seen = only(follow(seen_before, dump=dump, destination="10.0.0.1"))
    assert (seen.verdict, reason_of(seen)) == (Verdict.UNDECIDED, f"cannot decide: {match}")
    assert only(follow(dump=dump, destination="10.0.0.1")).verdict is Verdict.ACCEPT
