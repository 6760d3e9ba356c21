"""Which outcomes could be changed by tables of nftables that a trace does not look at."""

from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.nft_table import NftTable
from pykubeproxy.netfilter import Packet, trace
from pykubeproxy.netfilter.unseen import could_change
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Ruleset
from tests.netfilter.asking import NODE, packet

TO_NODE, OWN = {"destination": "10.0.0.1"}, {"source": "10.0.0.1", "from_node": True}
ALL_HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
# A table of each hook, by whose name it goes.
TABLES = tuple(NftTable("inet", hook, (hook,)) for hook in ALL_HOOKS)
FILTER = parse(["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", "COMMIT"])
DROPS = parse(["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]", "COMMIT"])
REFUSES = parse(["*filter", "-A INPUT -j REJECT", "-A OUTPUT -j REJECT", "COMMIT"])


def changing(ruleset: Ruleset, asked: Packet, tables: tuple[NftTable, ...] = TABLES) -> set[str]:
    (outcome,) = trace(ruleset, asked, NODE).outcomes
    return {table.name for table in could_change(outcome, asked, tables)}


@pytest.mark.parametrize(
    ("ruleset", "fields", "hooks"),
    [
        (FILTER, {}, {"ingress", "prerouting", "forward", "postrouting"}),
        (FILTER, TO_NODE, {"ingress", "prerouting", "input"}),
        (FILTER, OWN, {"output", "postrouting"}),
        (FILTER, OWN | TO_NODE, {"output", "postrouting", "prerouting", "input"}),
        (DROPS, {}, {"ingress", "prerouting", "forward"}),
        (REFUSES, TO_NODE, {"ingress", "prerouting", "input"}),
    ],
)
def test_the_hooks_on_the_way(ruleset: Ruleset, fields: dict[str, Any], hooks: set[str]) -> None:
    assert changing(ruleset, packet(**fields)) == hooks


FAMILIES = ("ip", "ip6", "inet", "bridge", "netdev", "iptables-legacy", "ip6tables-legacy")


def test_only_families_that_see_the_packet_for_certain() -> None:
    tables = tuple(NftTable(family, family, ALL_HOOKS) for family in FAMILIES)
    assert packet().family is Family.IPV4
    assert changing(FILTER, packet(), tables) == {"ip", "inet", "iptables-legacy"}
