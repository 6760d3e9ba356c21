"""Targets that translate addresses."""

from fractions import Fraction
from typing import Any

import pytest

from pykubeproxy.model.route import Route
from pykubeproxy.netfilter import Environment, Outcome, Verdict
from pykubeproxy.netfilter.events import Masqueraded
from tests.builders import cidr, ip
from tests.netfilter.asking import NODE, follow, only, reason_of

ROUTED = Environment(
    addresses=NODE.addresses,
    routes=(
        Route(destination=cidr("10.244.0.0/24"), device="cni0"),
        Route(destination=cidr("0.0.0.0/0"), device="eth0", via=ip("10.0.0.254")),
    ),
)


def prerouted(target: str, **fields: Any) -> Outcome:
    return only(follow(dump={"nat": f"PREROUTING -p tcp {target}"}, **fields))


@pytest.mark.parametrize(
    ("target", "dnat"),
    [
        ("-j DNAT --to-destination 10.1.0.5:8080", "10.1.0.5:8080"),
        ("-j DNAT --to-destination 10.1.0.5", "10.1.0.5:80"),
        ("-j DNAT --to-destination :8080", "10.96.0.1:8080"),
        ("-j DNAT --to-destination 10.1.0.5:8080 --random --persistent", "10.1.0.5:8080"),
        ("-j DNAT --to-destination 10.1.0.5:70-90", "10.1.0.5:80"),
        ("-j DNAT --to-destination 10.1.0.5:8000-8010", "10.1.0.5:8000"),
        ("-j DNAT --to-destination 10.1.0.5:8000-8010 --random", "10.1.0.5:8000-8010"),
        ("-j DNAT --to-destination 10.1.0.5:8000-8010/75", "10.1.0.5:8005"),
        ("-j DNAT --to-destination 10.1.0.5 --random", "10.1.0.5:80"),
        ("-j NETMAP --to 10.1.0.0/16", "10.1.0.1:80"),
    ],
)
def test_destinations(target: str, dnat: str) -> None:
    found = prerouted(target)
    assert (found.verdict, found.dnat) == (Verdict.ACCEPT, dnat)


@pytest.mark.parametrize(
    ("target", "dnat"),
    [
        ("[fd00:1::5]:8080", "[fd00:1::5]:8080"),
        ("fd00:1::5", "[fd00:1::5]:80"),
        ("[fd00:1::5]", "[fd00:1::5]:80"),
    ],
)
def test_ipv6_destinations(target: str, dnat: str) -> None:
    assert prerouted(f"-j DNAT --to-destination {target}", family="6").dnat == dnat


def test_a_protocol_without_ports() -> None:
    found = only(
        follow(dump={"nat": "PREROUTING -j DNAT --to-destination 10.1.0.5"}, protocol="icmp", destination_port=None)
    )
    assert found.dnat == "10.1.0.5"


def test_several_addresses_share_the_clients() -> None:
    found = follow(dump={"nat": "PREROUTING -p tcp -j DNAT --to-destination 10.1.0.5-10.1.0.7:80"})
    assert {outcome.dnat: outcome.probability for outcome in found.outcomes} == {
        f"10.1.0.{number}:80": Fraction(1, 3) for number in (5, 6, 7)
    }


def test_too_many_addresses_to_follow() -> None:
    found = prerouted("-j DNAT --to-destination 10.1.0.0-10.1.255.255")
    assert (found.verdict, found.dnat) == (Verdict.UNDECIDED, None)
    assert reason_of(found) == "destination becomes one of 65536 addresses, 10.1.0.0-10.1.255.255"


def test_a_port_that_the_kernel_draws_is_not_known_afterwards() -> None:
    dump = {
        "nat": "PREROUTING -p tcp -j DNAT --to-destination 10.1.0.5:8000-8010 --random",
        "filter": "FORWARD -p tcp -m tcp --dport 8000 -j DROP\nFORWARD -p tcp -m tcp --dport 9000 -j DROP",
    }
    assert reason_of(only(follow(dump=dump))) == "cannot decide: --dport 8000"


def test_the_first_translation_ends_the_table() -> None:
    rules = "PREROUTING -p tcp -j DNAT --to-destination :81\nPREROUTING -p tcp -j DNAT --to-destination :82"
    assert only(follow(dump={"nat": rules})).dnat == "10.96.0.1:81"


def test_redirected_to_the_address_of_the_interface() -> None:
    found = prerouted("-j REDIRECT --to-ports 15001", in_interface="cni0")
    assert (found.dnat, reason_of(found)) == ("10.244.0.1:15001", "delivered to 10.244.0.1:15001 on this node itself")


def test_redirected_to_loopback_from_a_process_of_the_node() -> None:
    dump = {"nat": "OUTPUT -p tcp -j REDIRECT --to-ports 15001"}
    assert only(follow(dump=dump, source="10.0.0.1", from_node=True)).dnat == "127.0.0.1:15001"


def test_redirected_to_an_address_that_is_not_known() -> None:
    found = prerouted("-j REDIRECT --to-ports 15001", in_interface="veth9")
    assert found.verdict is Verdict.UNDECIDED
    assert "address of interface veth9 is not known" in reason_of(found)


def test_masquerading_takes_the_address_of_the_interface() -> None:
    dump = {"nat": "POSTROUTING -j MASQUERADE --random-fully"}
    found = only(follow(ROUTED, dump=dump))
    assert (found.masquerade, found.snat) == (True, None)
    assert Masqueraded("10.0.0.1", "eth0") in [step.event for step in found.path]
    unknown = only(follow(dump=dump))
    assert unknown.masquerade
    assert Masqueraded(None, None) in [step.event for step in unknown.path]


@pytest.mark.parametrize(
    ("target", "snat"),
    [
        ("-j SNAT --to-source 192.0.2.1", "192.0.2.1"),
        ("-p tcp -j SNAT --to-source 192.0.2.1-192.0.2.9:1024-65535", "192.0.2.1-192.0.2.9:1024-65535"),
        ("-j NETMAP --to 192.0.0.0/16", "192.0.0.9"),
    ],
)
def test_sources(target: str, snat: str) -> None:
    found = only(follow(dump={"nat": f"POSTROUTING {target}"}))
    assert (found.snat, found.masquerade, found.dnat) == (snat, False, None)


def test_the_new_source_counts_when_the_packet_comes_back_in() -> None:
    dump = {
        "nat": "POSTROUTING -j SNAT --to-source 192.0.2.1",
        "filter": "INPUT -s 192.0.2.1/32 -j DROP",
    }
    found = only(follow(dump=dump, source="10.0.0.1", destination="10.244.0.1", from_node=True))
    assert found.verdict is Verdict.DROP
