"""The order of hooks and tables, and what is known at each of them."""

from typing import Any

import pytest

from pykubeproxy.netfilter import Environment, Outcome, Trace, Verdict
from tests.netfilter.asking import ESTABLISHED, INVALID, NODE, RELATED, follow, only, reason_of

TABLES = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
COUNTING = {table: "\n".join(hooks) for table, hooks in TABLES.items()}
OWN: dict[str, Any] = {"source": "10.0.0.1", "from_node": True}

IN = ["raw PREROUTING", "mangle PREROUTING", "nat PREROUTING"]
THROUGH = ["mangle FORWARD", "filter FORWARD", "security FORWARD", "mangle POSTROUTING", "nat POSTROUTING"]
TO_NODE = ["mangle INPUT", "filter INPUT", "security INPUT", "nat INPUT"]
OUT = ["raw OUTPUT", "mangle OUTPUT", "nat OUTPUT", "filter OUTPUT", "security OUTPUT", *THROUGH[3:]]
AGAIN = ["raw PREROUTING", "mangle PREROUTING", *TO_NODE[:3]]


def met(outcome: Outcome) -> list[str]:
    return [f"{step.table} {step.hook}" for step in outcome.path if step.rule]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, IN + THROUGH),
        ({"destination": "10.0.0.1"}, IN + TO_NODE),
        ({"destination": "10.0.0.255"}, IN + TO_NODE),
        ({"ctstate": ESTABLISHED}, [table for table in IN + THROUGH if "nat" not in table]),
        ({"ctstate": RELATED}, [table for table in IN + THROUGH if "nat" not in table]),
        ({"ctstate": INVALID}, [table for table in IN + THROUGH if "nat" not in table]),
        (OWN, OUT),
        ({**OWN, "destination": "10.244.0.1"}, OUT + AGAIN),
        ({**OWN, "destination": "127.0.0.1"}, OUT + AGAIN),
    ],
)
def test_the_order_of_hooks_and_tables(fields: dict[str, Any], expected: list[str]) -> None:
    assert met(only(follow(dump=COUNTING, **fields))) == expected


def test_ipv6_is_the_same() -> None:
    assert met(only(follow(family="6", dump=COUNTING, destination="fd00::1"))) == IN + TO_NODE


def test_a_dump_may_lack_tables() -> None:
    found = only(follow(dump={"filter": "FORWARD -j DROP"}))
    assert found.verdict is Verdict.DROP
    assert only(follow(dump={})).verdict is Verdict.ACCEPT


def test_what_is_dropped_goes_no_further() -> None:
    dump = {"raw": "PREROUTING -j DROP", "filter": "FORWARD -j REJECT"}
    assert only(follow(dump=dump)).verdict is Verdict.DROP


def test_accept_is_for_one_table_only() -> None:
    dump = {"mangle": "FORWARD -j ACCEPT", "filter": "FORWARD -j DROP"}
    assert only(follow(dump=dump)).verdict is Verdict.DROP


def test_the_new_destination_decides_where_the_packet_goes() -> None:
    to_node = {"nat": "PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1:22", "filter": "INPUT -j DROP"}
    assert only(follow(dump=to_node)).verdict is Verdict.DROP
    away = {"nat": "PREROUTING -p tcp -j DNAT --to-destination 10.1.0.5:22", "filter": "INPUT -j DROP"}
    assert only(follow(dump=away, destination="10.0.0.1")).dnat == "10.1.0.5:22"


def interfaces(environment: Environment, chains: str, **fields: Any) -> Trace:
    """Drops by the interface that is to be seen in filter."""
    return follow(environment, dump={"filter": chains}, **fields)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"in_interface": "cni0"}, "FORWARD -i cni0 -j DROP"),
        ({"in_interface": "cni0", "out_interface": "eth0"}, "FORWARD -i cni0 -o eth0 -j DROP"),
        ({"destination": "10.0.0.1", "in_interface": "cni0"}, "INPUT -i cni0 ! -o eth0 -j DROP"),
        ({**OWN, "out_interface": "eth0"}, "OUTPUT ! -i eth0 -o eth0 -j DROP"),
        ({**OWN, "destination": "10.244.0.1"}, "INPUT -i lo -j DROP"),
        ({**OWN, "destination": "10.244.0.1"}, "OUTPUT -o lo -j DROP"),
    ],
)
def test_interfaces_at_each_hook(fields: dict[str, Any], rule: str) -> None:
    assert only(interfaces(NODE, rule, **fields)).verdict is Verdict.DROP


def test_an_unknown_way_out_leaves_it_open() -> None:
    found = only(interfaces(NODE, "FORWARD -o eth0 -j DROP"))
    assert (found.verdict, reason_of(found)) == (Verdict.UNDECIDED, "cannot decide: -o eth0")


def test_output_still_names_the_first_interface_after_dnat() -> None:
    dump = {
        "nat": "OUTPUT -p tcp -j DNAT --to-destination 10.244.0.1:22",
        "filter": "OUTPUT -o lo -j DROP\nINPUT -i lo -j REJECT",
    }
    assert only(follow(dump=dump, **OWN, out_interface="eth0")).verdict is Verdict.REJECT


def test_marks_stay_on_packets_that_come_back_in() -> None:
    dump = {"mangle": "OUTPUT -j MARK --set-mark 0x7", "filter": "INPUT -m mark --mark 0x7 -j DROP"}
    assert only(follow(dump=dump, **OWN, destination="10.244.0.1")).verdict is Verdict.DROP


def test_the_connection_is_new_even_in_raw_for_packets_that_come_back_in() -> None:
    dump = {"raw": "PREROUTING -m conntrack --ctstate NEW -j DROP"}
    assert only(follow(dump=dump, **OWN, destination="10.244.0.1")).verdict is Verdict.DROP
    assert only(follow(dump=dump, destination="10.244.0.1")).verdict is Verdict.ACCEPT


def test_where_multicast_goes_is_not_decided() -> None:
    found = only(follow(dump={}, destination="224.0.0.251", protocol="udp"))
    assert found.verdict is Verdict.UNDECIDED
