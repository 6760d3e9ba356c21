"""Which flows are stale: the tables of `docs/reference/conntrack.md` sections 2, 3 and 7, and what goes beyond them."""

import pytest

from pykubeproxy.flows.stale import Flow, FlowCheck, Frontend
from pykubeproxy.model.ip import Family
from tests.builders import ip
from tests.flows.flows import flow, frontend

NODE_ADDRESSES = tuple(ip(text) for text in ("192.168.0.2", "127.0.0.1", "2001:db8::2"))

# Those of a ServicePort with a cluster IP, an external IP, a load-balancer IP and a node port.
FRONTENDS = tuple(map(frontend, ("10.96.0.10:53", "198.51.100.7:53", "203.0.113.9:53", ":30053")))
FRONTENDS6 = tuple(map(frontend, ("[fd00::10]:53", ":30053")))


def check(*endpoints: str) -> FlowCheck:
    """The check of the examples' ServicePort with these serving endpoints."""
    serving = frozenset(frontend(text) for text in endpoints)
    return FlowCheck(family=Family.IPV4, serving=dict.fromkeys(FRONTENDS, serving)).on_node(NODE_ADDRESSES)


BOTH = check("10.0.0.1:5353", "10.0.0.2:5353")


@pytest.mark.parametrize(
    ("text", "is_stale"),
    [
        ("10.96.0.10:53 -> 10.0.0.1:5353", False),
        ("10.96.0.10:53 -> 10.0.0.9:5353", True),  # a removed endpoint
        ("10.96.0.10:53 -> 10.0.0.1:53", True),  # an old target port
        ("10.96.0.10:53 -> 10.96.0.10:53", True),  # never translated
        ("203.0.113.9:53 -> 10.0.0.9:5353", True),
        ("198.51.100.7:53 -> 10.0.0.2:5353", False),
        ("192.168.0.2:30053 -> 10.0.0.9:5353", True),
        ("192.168.0.2:30053 -> 10.0.0.2:5353", False),
        ("127.0.0.1:30053 -> 10.0.0.9:5353", True),
        ("8.8.8.8:30053 -> 8.8.8.8:30053", False),  # unrelated, though kube-proxy deletes it
        ("8.8.8.8:53 -> 8.8.8.8:53", False),
        ("192.168.0.2:53 -> 192.168.0.2:53", False),
        ("10.96.0.10:30053 -> 10.96.0.10:30053", False),
    ],
)
def test_the_worked_examples(text: str, *, is_stale: bool) -> None:
    assert BOTH.is_stale(flow(text)) is is_stale


@pytest.mark.parametrize(
    ("text", "is_stale"),
    [
        ("[fd00::10]:53 -> [fd00:1::1]:5353", False),
        ("[fd00::10]:53 -> [fd00:1::9]:5353", True),
        ("[fd00::10]:53 -> [fd00::10]:53", True),
        ("[2001:db8::2]:30053 -> [fd00:1::9]:5353", True),
        ("[2001:db8::3]:30053 -> [fd00:1::9]:5353", False),
        ("[2001:db8::3]:53 -> [2001:db8::3]:53", False),
    ],
)
def test_ipv6(text: str, *, is_stale: bool) -> None:
    serving = frozenset({frontend("[fd00:1::1]:5353")})
    checked = FlowCheck(family=Family.IPV6, serving=dict.fromkeys(FRONTENDS6, serving)).on_node(NODE_ADDRESSES)
    assert checked.is_stale(flow(text)) is is_stale


def test_without_the_nodes_addresses_a_node_port_may_be_on_any() -> None:
    assert BOTH.on_node(None).is_stale(flow("8.8.8.8:30053 -> 8.8.8.8:30053"))
    assert not BOTH.on_node(None).is_stale(flow("8.8.8.8:30053 -> 10.0.0.1:5353"))


@pytest.mark.parametrize("destination", ["10.96.0.10:53", "203.0.113.9:53", "198.51.100.7:53", "192.168.0.2:30053"])
def test_without_endpoints_every_flow_of_the_service_goes(destination: str) -> None:
    """The client that keeps sending to a dead endpoint would else still do so when there are endpoints again."""
    assert check().is_stale(flow(f"{destination} -> 10.0.0.1:5353"))
    assert not check().is_stale(flow("8.8.8.8:53 -> 10.0.0.1:5353"))


@pytest.mark.parametrize(
    ("text", "is_stale"),
    [
        ("10.96.0.10:53 -> 10.0.0.1:5353", True),
        ("10.96.0.10:53 -> 10.96.0.10:53", False),  # somebody's own, now
        ("192.168.0.2:30053 -> 10.0.0.1:5353", True),
        ("192.168.0.2:30053 -> 192.168.0.2:30053", False),  # a server of the node
        ("8.8.8.8:30053 -> 10.0.0.1:5353", False),
        ("8.8.8.8:53 -> 10.0.0.1:5353", False),
    ],
)
def test_translated_flows_of_retired_frontends_go(text: str, *, is_stale: bool) -> None:
    retired = FlowCheck(family=Family.IPV4, retired=frozenset(FRONTENDS)).on_node(NODE_ADDRESSES)
    assert retired.is_stale(flow(text)) is is_stale


def test_a_services_address_goes_before_another_ones_node_port() -> None:
    """As in the rules: KUBE-SERVICES looks for addresses first, and for node ports last."""
    both = FlowCheck(
        family=Family.IPV4,
        serving={
            frontend("192.168.0.2:30053"): frozenset({frontend("10.0.0.1:5353")}),
            frontend(":30053"): frozenset({frontend("10.0.0.2:5353")}),
        },
    ).on_node(NODE_ADDRESSES)
    assert not both.is_stale(flow("192.168.0.2:30053 -> 10.0.0.1:5353"))
    assert both.is_stale(flow("192.168.0.2:30053 -> 10.0.0.2:5353"))
    assert not both.is_stale(flow("127.0.0.1:30053 -> 10.0.0.2:5353"))


def test_a_retired_address_on_which_a_node_port_answers() -> None:
    remaining = FlowCheck(
        family=Family.IPV4,
        serving={frontend(":30053"): frozenset({frontend("10.0.0.2:5353")})},
        retired=frozenset({frontend("192.168.0.2:30053")}),
    ).on_node(NODE_ADDRESSES)
    assert not remaining.is_stale(flow("192.168.0.2:30053 -> 10.0.0.2:5353"))
    assert remaining.is_stale(flow("192.168.0.2:30053 -> 10.0.0.1:5353"))


def test_a_newer_check_is_right_about_what_both_are_about() -> None:
    first, second, third = (frontend(f"10.96.0.{i}:53") for i in (1, 2, 3))
    old, new = frozenset({frontend("10.0.0.1:53")}), frozenset({frontend("10.0.0.2:53")})
    older = FlowCheck(family=Family.IPV4, serving={first: old, second: old}, retired=frozenset({third}))
    newer = FlowCheck(family=Family.IPV4, serving={first: new, third: new}, retired=frozenset({second}))
    assert older.then(newer.on_node(NODE_ADDRESSES)) == newer.on_node(NODE_ADDRESSES)
    assert older.then(FlowCheck(family=Family.IPV4)) == older
    assert not older.is_empty


def test_a_flow_as_text() -> None:
    assert str(flow("10.96.0.10:53 -> 10.0.0.1:5353")) == "10.96.0.10:53 -> 10.0.0.1:5353"
    assert str(flow("[fd00::10]:53 -> [fd00:1::1]:5353")) == "[fd00::10]:53 -> [fd00:1::1]:5353"


def test_frontends_are_packed_as_in_a_packet() -> None:
    assert frontend("10.96.0.10:53") == Frontend(b"\x0a\x60\x00\x0a\x00\x35")
    assert frontend(":30053") == Frontend(b"\x75\x65")
    assert Flow(frontend("10.96.0.10:53"), b"").destination[:4] == b"\x0a\x60\x00\x0a"
