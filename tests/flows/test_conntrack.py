"""Which flows are stale: the tables of `docs/reference/conntrack.md` sections 2, 3 and 7, and what goes beyond them."""

import pytest

from pykubeproxy.flows.stale import FlowCheck, Frontend, address_of
from pykubeproxy.model.ip import Family
from tests.builders import ip
from tests.flows.flows import flow, frontend

NODE_ADDRESSES = tuple(ip(text) for text in ("192.168.0.2", "127.0.0.1", "2001:db8::2"))

# Those of a ServicePort with a cluster IP, an external IP, a load-balancer IP and a node port.
FRONTENDS = tuple(map(frontend, ("10.96.0.10:53", "198.51.100.7:53", "203.0.113.9:53", ":30053")))
FRONTENDS6 = tuple(map(frontend, ("[fd00::10]:53", ":30053")))


def serving(*endpoints: str, family: Family = Family.IPV4) -> FlowCheck:
    """The check of the examples' ServicePort with these serving endpoints."""
    frontends = FRONTENDS if family is Family.IPV4 else FRONTENDS6
    its = frozenset(frontend(text) for text in endpoints)
    return FlowCheck(family=family, serving=dict.fromkeys(frontends, its))


BOTH = serving("10.0.0.1:5353", "10.0.0.2:5353")
NONE = serving()
SIX = serving("[fd00:1::1]:5353", family=Family.IPV6)
RETIRED = FlowCheck(family=Family.IPV4, retired=frozenset(FRONTENDS))


@pytest.mark.parametrize(
    ("check", "text", "is_stale"),
    [
        (BOTH, "10.96.0.10:53 -> 10.0.0.1:5353", False),
        (BOTH, "10.96.0.10:53 -> 10.0.0.9:5353", True),  # a removed endpoint
        (BOTH, "10.96.0.10:53 -> 10.0.0.1:53", True),  # an old target port
        (BOTH, "10.96.0.10:53 -> 10.96.0.10:53", True),  # never translated
        (BOTH, "203.0.113.9:53 -> 10.0.0.9:5353", True),
        (BOTH, "198.51.100.7:53 -> 10.0.0.2:5353", False),
        (BOTH, "192.168.0.2:30053 -> 10.0.0.9:5353", True),
        (BOTH, "192.168.0.2:30053 -> 10.0.0.2:5353", False),
        (BOTH, "127.0.0.1:30053 -> 10.0.0.9:5353", True),
        (BOTH, "8.8.8.8:30053 -> 8.8.8.8:30053", False),  # unrelated, though kube-proxy deletes it
        (BOTH, "8.8.8.8:53 -> 8.8.8.8:53", False),
        (BOTH, "192.168.0.2:53 -> 192.168.0.2:53", False),
        (BOTH, "10.96.0.10:30053 -> 10.96.0.10:30053", False),
        (SIX, "[fd00::10]:53 -> [fd00:1::1]:5353", False),
        (SIX, "[fd00::10]:53 -> [fd00:1::9]:5353", True),
        (SIX, "[fd00::10]:53 -> [fd00::10]:53", True),
        (SIX, "[2001:db8::2]:30053 -> [fd00:1::9]:5353", True),
        (SIX, "[2001:db8::3]:30053 -> [fd00:1::9]:5353", False),
        (SIX, "[2001:db8::3]:53 -> [2001:db8::3]:53", False),
        # A client that keeps sending to a dead endpoint would else still do so when there are endpoints again.
        (NONE, "10.96.0.10:53 -> 10.0.0.1:5353", True),
        (NONE, "203.0.113.9:53 -> 10.0.0.1:5353", True),
        (NONE, "192.168.0.2:30053 -> 10.0.0.1:5353", True),
        (NONE, "8.8.8.8:53 -> 10.0.0.1:5353", False),
        (RETIRED, "10.96.0.10:53 -> 10.0.0.1:5353", True),
        (RETIRED, "10.96.0.10:53 -> 10.96.0.10:53", False),  # somebody's own, now
        (RETIRED, "192.168.0.2:30053 -> 10.0.0.1:5353", True),
        (RETIRED, "192.168.0.2:30053 -> 192.168.0.2:30053", False),  # a server of the node
        (RETIRED, "8.8.8.8:30053 -> 10.0.0.1:5353", False),
        (RETIRED, "8.8.8.8:53 -> 10.0.0.1:5353", False),
    ],
)
def test_which_flows_are_stale(check: FlowCheck, text: str, *, is_stale: bool) -> None:
    assert check.on_node(NODE_ADDRESSES).is_stale(flow(text)) is is_stale
    assert str(flow(text)) == text


def test_without_the_nodes_addresses_a_node_port_may_be_on_any() -> None:
    assert BOTH.on_node(None).is_stale(flow("8.8.8.8:30053 -> 8.8.8.8:30053"))
    assert not BOTH.on_node(None).is_stale(flow("8.8.8.8:30053 -> 10.0.0.1:5353"))


def test_a_services_address_goes_before_another_ones_node_port() -> None:
    """As in the rules: KUBE-SERVICES looks for addresses first, and for node ports last."""
    at_address, at_port = frozenset({frontend("10.0.0.1:5353")}), frozenset({frontend("10.0.0.2:5353")})
    address, port = frontend("192.168.0.2:30053"), frontend(":30053")
    both = FlowCheck(family=Family.IPV4, serving={address: at_address, port: at_port})
    port_alone = FlowCheck(family=Family.IPV4, serving={port: at_port}, retired=frozenset({address}))
    flows = [
        flow(f"{where}:30053 -> {to}:5353") for where in ("192.168.0.2", "127.0.0.1") for to in ("10.0.0.1", "10.0.0.2")
    ]
    assert [both.on_node(NODE_ADDRESSES).is_stale(each) for each in flows] == [False, True, True, False]
    assert [port_alone.on_node(NODE_ADDRESSES).is_stale(each) for each in flows] == [True, False, True, False]


def test_a_newer_check_is_right_about_what_both_are_about() -> None:
    first, second, third = (frontend(f"10.96.0.{i}:53") for i in (1, 2, 3))
    old, new = frozenset({frontend("10.0.0.1:53")}), frozenset({frontend("10.0.0.2:53")})
    older = FlowCheck(family=Family.IPV4, serving={first: old, second: old}, retired=frozenset({third}))
    newer = FlowCheck(family=Family.IPV4, serving={first: new, third: new}, retired=frozenset({second}))
    assert older.then(newer.on_node(NODE_ADDRESSES)) == newer.on_node(NODE_ADDRESSES)
    assert older.then(FlowCheck(family=Family.IPV4)) == older
    assert not older.is_empty


def test_frontends_are_packed_as_in_a_packet() -> None:
    assert frontend("10.96.0.10:53") == Frontend(b"\x0a\x60\x00\x0a\x00\x35")
    assert address_of(frontend("10.96.0.10:53")) == "10.96.0.10"
    assert frontend(":30053") == Frontend(b"\x75\x65")
