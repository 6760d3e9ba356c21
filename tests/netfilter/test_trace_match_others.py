"""Matches on interfaces, owners, packet types and sets; and those that only count or comment."""

from typing import Any

import pytest

from tests.netfilter.asking import meet


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("-i cni0", True),
        ("-i eth0", False),
        ("! -i cni0", False),
        ("-i cn+", True),
        ("-i cni0+", True),
        ("-i veth+", False),
        ("! -i veth+", True),
        ("-o eth0", False),
        ("! -o eth0", True),
    ],
)
def test_interfaces(match: str, *, expected: bool) -> None:
    assert meet(match, in_interface="cni0") is expected


def test_an_interface_that_is_not_known() -> None:
    assert meet("-i cni0") == "-i cni0"
    assert meet("! -i cni0") == "not -i cni0"


def test_what_a_process_sends_comes_in_by_no_interface() -> None:
    assert meet("-i cni0", source="10.0.0.1", from_node=True) is False
    assert meet("! -i cni0", source="10.0.0.1", from_node=True) is True


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ('-m comment --comment "whatever -j DROP"', True),
        ("-m nfacct --nfacct-name  localhost_nps_accepted_pkts", True),
        ("-f", False),
        ("! -f", True),
        ("-m pkttype --pkt-type unicast", True),
        ("-m pkttype --pkt-type broadcast", False),
        ("-m pkttype ! --pkt-type multicast", True),
    ],
)
def test_what_never_surprises(match: str, *, expected: bool) -> None:
    assert meet(match) is expected


def test_packet_types_go_by_the_destination() -> None:
    assert meet("-m pkttype --pkt-type multicast", destination="224.0.0.251") is True
    assert meet("-m pkttype --pkt-type broadcast", destination="10.0.0.255") is True


OWN: dict[str, Any] = {"source": "10.0.0.1", "from_node": True}


@pytest.mark.parametrize(
    ("match", "fields", "expected"),
    [
        ("--uid-owner 1000", {"uid": 1000}, True),
        ("--uid-owner 1000", {"uid": 0}, False),
        ("! --uid-owner 0", {"uid": 0}, False),
        ("--uid-owner 1000-2000", {"uid": 1500}, True),
        ("--gid-owner 7", {"gid": 7}, True),
        ("--uid-owner 1000 --gid-owner 7", {"uid": 1000, "gid": 8}, False),
        ("--uid-owner 1000", {}, "-m owner --uid-owner 1000"),
        ("! --uid-owner 1000", {}, "not -m owner --uid-owner 1000"),
        ("--socket-exists", {}, True),
        ("! --socket-exists", {}, False),
    ],
)
def test_owners_of_what_the_node_sends(match: str, fields: dict[str, Any], expected: object) -> None:
    assert meet(f"-m owner {match}", **OWN, **fields) == expected


def test_what_comes_from_elsewhere_has_no_owner() -> None:
    assert meet("-m owner --uid-owner 0") is False
    assert meet("-m owner ! --uid-owner 0") is True
    assert meet("-m owner ! --uid-owner 0 --socket-exists") is False


def test_bridge_ports() -> None:
    assert meet("-m physdev --physdev-is-bridged") == "-m physdev --physdev-is-bridged"
    assert meet("-m physdev --physdev-in veth1 ! --physdev-is-in") == (
        "-m physdev --physdev-in veth1 and not -m physdev --physdev-is-in"
    )
    assert meet("-m physdev --physdev-in veth1", **OWN) is False
    assert meet("-m physdev ! --physdev-is-bridged", **OWN) is True


@pytest.mark.parametrize(
    ("match", "question"),
    [
        ("-m geoip --source-country CN,RU", "-m geoip --source-country CN,RU"),
        ("-m limit --limit 5/min --limit-burst 5", "-m limit --limit 5/min --limit-burst 5"),
        ("-m set --match-set blocked src", "-m set --match-set blocked src"),
        ("-m set ! --match-set blocked src,dst --return-nomatch", "not -m set --match-set blocked src,dst"),
        ("-m set --match-set a src ! --update-counters", "-m set --match-set a src"),
        ("-m rpfilter --invert", "-m rpfilter --invert"),
        ("-m string --string GET --algo bm", "-m string --string GET --algo bm"),
        ("-m tcp --tcp-option 5", "--tcp-option 5"),
        ("-m connlimit --connlimit-above 9", "-m connlimit --connlimit-above 9"),
        ("-m recent --name a", "-m recent --name a"),
        ("-m conntrack --ctlabel 5", "--ctlabel 5"),
    ],
)
def test_what_cannot_be_decided_is_asked_in_its_own_words(match: str, question: str) -> None:
    assert meet(match) == question
