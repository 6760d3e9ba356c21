"""Targets that translate addresses."""

from fractions import Fraction
from typing import Any

import pytest

from pykubeproxy.model.route import Route
from pykubeproxy.netfilter import Environment, Outcome, Verdict
from pykubeproxy.netfilter.events import Masqueraded
from tests.builders import cidr, ip
from tests.netfilter.asking import NODE, follow, only, reason_of

IPV6 = {"family": "6"}
RANGE = "10.1.0.5:8000-8010"


def prerouted(target: str, **fields: Any) -> Outcome:
    return only(follow(dump={"nat": f"PREROUTING -p tcp -j {target}"}, **fields))


@pytest.mark.parametrize(
    ("target", "fields", "dnat"),
    [
        ("DNAT --to-destination 10.1.0.5:8080", {}, "10.1.0.5:8080"),
        ("DNAT --to-destination 10.1.0.5", {}, "10.1.0.5:80"),
        ("DNAT --to-destination :8080", {}, "10.96.0.1:8080"),
        ("DNAT --to-destination 10.1.0.5:70-90", {}, "10.1.0.5:80"),
        (f"DNAT --to-destination {RANGE}", {}, "10.1.0.5:8000"),
        (f"DNAT --to-destination {RANGE} --random", {}, RANGE),
        (f"DNAT --to-destination {RANGE}/75", {}, "10.1.0.5:8005"),
        ("NETMAP --to 10.1.0.0/16", {}, "10.1.0.1:80"),
        ("DNAT --to-destination [fd00:1::5]:8080", IPV6, "[fd00:1::5]:8080"),
        ("DNAT --to-destination [fd00:1::5]", IPV6, "[fd00:1::5]:80"),
        ("REDIRECT --to-ports 15001", {"in_interface": "cni0"}, "10.244.0.1:15001"),
        # The first translation ends the table.
        ("DNAT --to-destination :81\nPREROUTING -p tcp -j DNAT --to-destination :82", {}, "10.96.0.1:81"),
    ],
)
def test_destinations(target: str, fields: dict[str, str], dnat: str) -> None:
    found = prerouted(target, **fields)
    assert (found.verdict, found.dnat) == (Verdict.ACCEPT, dnat)


def test_several_addresses_share_the_clients() -> None:
    found = follow(dump={"nat": "PREROUTING -p tcp -j DNAT --to-destination 10.1.0.5-10.1.0.7:80"})
    assert {outcome.dnat: outcome.probability for outcome in found.outcomes} == {
        f"10.1.0.{number}:80": Fraction(1, 3) for number in (5, 6, 7)
    }


def test_what_is_not_known_afterwards() -> None:
    too_many = prerouted("DNAT --to-destination 10.1.0.0-10.1.255.255")
    assert (too_many.verdict, too_many.dnat) == (Verdict.UNDECIDED, None)
    assert reason_of(too_many) == "destination becomes one of 65536 addresses, 10.1.0.0-10.1.255.255"
    elsewhere = prerouted("REDIRECT --to-ports 15001", in_interface="veth9")
    assert elsewhere.verdict is Verdict.UNDECIDED
    assert "address of interface veth9 is not known" in reason_of(elsewhere)
    drawn = {
        "nat": f"PREROUTING -p tcp -j DNAT --to-destination {RANGE} --random",
        "filter": "FORWARD -p tcp -m tcp --dport 8000 -j DROP\nFORWARD -p tcp -m tcp --dport 9000 -j DROP",
    }
    assert reason_of(only(follow(dump=drawn))) == "cannot decide: --dport 8000"


def test_masquerading_takes_the_address_of_the_interface() -> None:
    dump = {"nat": "POSTROUTING -j MASQUERADE --random-fully"}
    routes = (Route(destination=cidr("0.0.0.0/0"), device="eth0", via=ip("10.0.0.254")),)
    found = only(follow(Environment(addresses=NODE.addresses, routes=routes), dump=dump))
    assert (found.masquerade, found.snat) == (True, None)
    assert Masqueraded("10.0.0.1", "eth0") in [step.event for step in found.path]
    unknown = only(follow(dump=dump))
    assert unknown.masquerade
    assert Masqueraded(None, None) in [step.event for step in unknown.path]


def test_the_new_source_counts_when_the_packet_comes_back_in() -> None:
    dump = {"nat": "POSTROUTING -j SNAT --to-source 192.0.2.1", "filter": "INPUT -s 192.0.2.1/32 -j DROP"}
    found = only(follow(dump=dump, source="10.0.0.1", destination="10.244.0.1", from_node=True))
    assert found.verdict is Verdict.DROP
