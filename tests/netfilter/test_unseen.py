"""Which outcomes could be changed by tables of nftables that a trace does not look at."""

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.netfilter import Environment, Packet, local_address, trace
from pykubeproxy.netfilter.unseen import could_change
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import ip

NODE = "192.168.0.2"
AROUND = Environment(addresses=(local_address(NODE), local_address("127.0.0.1")))
ALL_HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
# A table of each hook, by whose name it goes.
TABLES = tuple(NftTable("inet", hook, (hook,)) for hook in ALL_HOOKS)
FILTER = parse(["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", "COMMIT"])
DROPS = parse(["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]", "COMMIT"])
REFUSES = parse(["*filter", "-A INPUT -j REJECT", "-A OUTPUT -j REJECT", "COMMIT"])


def packet(destination: str, *, from_node: bool = False) -> Packet:
    return Packet(
        source=ip(NODE if from_node else "203.0.113.9"),
        destination=ip(destination),
        destination_port=80,
        in_interface="" if from_node else "eth0",
        from_node=from_node,
    )


def changing(ruleset: Ruleset, asked: Packet, tables: tuple[NftTable, ...] = TABLES) -> set[str]:
    (outcome,) = trace(ruleset, asked, AROUND).outcomes
    return {table.name for table in could_change(outcome, asked, tables)}


@pytest.mark.parametrize(
    ("ruleset", "destination", "from_node", "hooks"),
    [
        (FILTER, "10.0.0.1", False, {"ingress", "prerouting", "forward", "postrouting"}),
        (FILTER, NODE, False, {"ingress", "prerouting", "input"}),
        (FILTER, "10.0.0.1", True, {"output", "postrouting"}),
        (FILTER, NODE, True, {"output", "postrouting", "prerouting", "input"}),
        (DROPS, "10.0.0.1", False, {"ingress", "prerouting", "forward"}),
        (REFUSES, NODE, False, {"ingress", "prerouting", "input"}),
    ],
)
def test_the_hooks_on_the_way(ruleset: Ruleset, destination: str, *, from_node: bool, hooks: set[str]) -> None:
    assert changing(ruleset, packet(destination, from_node=from_node)) == hooks


FAMILIES = ("ip", "ip6", "inet", "bridge", "netdev", "iptables-legacy", "ip6tables-legacy")


def test_only_families_that_see_the_packet_for_certain() -> None:
    tables = tuple(NftTable(family, family, ALL_HOOKS) for family in FAMILIES)
    assert packet("10.0.0.1").family is Family.IPV4
    assert changing(FILTER, packet("10.0.0.1"), tables) == {"ip", "inet", "iptables-legacy"}
