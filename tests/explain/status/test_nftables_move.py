"""What a move to nftables mode would change, by what is known of a node."""

import pytest
from msgspec.structs import replace

from pykubeproxy.explain.status import nftables_move as seen
from pykubeproxy.explain.status.assessment import exit_status
from pykubeproxy.explain.status.nftables_move import AddressUse, MoveFacts, RuleFacts, assess_move, version_of
from pykubeproxy.explain.status.observations import Level, Observation
from pykubeproxy.explain.status.observations.of_rules import RulesNotLookedAt
from tests.explain.status.nodes import MOVE

RULES = RuleFacts(node_ports=2, other_addresses=3, localhost_packets=0)
PLAIN = replace(MOVE, rules=replace(RULES, other_addresses=0))
OPTIONS = ("iptables.syncPeriod",)
USED = (AddressUse("10.0.0.1", 4),)


def with_rules(**fields: object) -> MoveFacts:
    return replace(PLAIN, rules=replace(RULES, **fields))


def test_a_node_on_which_nothing_changes() -> None:
    found = assess_move(PLAIN)
    assert {each.level for each in found} == {Level.OK}
    assert exit_status(found) == 0


@pytest.mark.parametrize(
    ("facts", "expected", "status"),
    [
        (replace(PLAIN, kernel_release="5.10.0"), seen.KernelTooOld(release="5.10.0"), 1),
        (replace(PLAIN, kernel_release="5.13.1"), seen.KernelSuits(release="5.13.1"), 0),
        (replace(PLAIN, has_nftables=False), seen.KernelLacksNftables(release="6.1.0-18-amd64"), 1),
        (with_rules(), seen.NodePortsNarrowed(addresses=3), 0),
        (with_rules(node_ports=0), seen.NodePortsStay(count=0, configured=()), 0),
        (with_rules(elsewhere=USED), seen.NodePortsElsewhere(uses=USED), 1),
        (
            replace(with_rules(elsewhere=USED), node_port_addresses=("all",)),
            seen.NodePortsStay(count=2, configured=("all",)),
            0,
        ),
        (with_rules(localhost=1), seen.LocalhostUsed(counted=0, connections=1), 1),
        (with_rules(localhost_packets=7), seen.LocalhostUsed(counted=7, connections=0), 1),
        (with_rules(localhost_packets=None), seen.LocalhostNotCounted(), 0),
        (
            replace(with_rules(localhost_packets=None), localhost_node_ports=False),
            seen.LocalhostUnused(),
            0,
        ),
        (with_rules(invalid_dropped=5), seen.InvalidPackets(count=5, is_fixed=True), 0),
        (
            replace(with_rules(invalid_dropped=5), kernel_release="5.15.0"),
            seen.InvalidPackets(count=5, is_fixed=False),
            0,
        ),
        (replace(with_rules(invalid_dropped=5), tcp_be_liberal=True), seen.NoInvalidPackets(), 0),
        (with_rules(health_checks=1), seen.HealthChecksLetThrough(count=1), 0),
        (with_rules(foreign_rules=("x",)), seen.OthersLeadHere(rules=("x",)), 1),
        (replace(PLAIN, iptables_options=OPTIONS), seen.OptionsLost(options=OPTIONS), 0),
        (replace(PLAIN, has_config=False), seen.OptionsAssumed(), 0),
        (replace(PLAIN, rules=None), RulesNotLookedAt(), 2),
    ],
)
def test_what_is_said_and_how_it_exits(facts: MoveFacts, expected: Observation, status: int) -> None:
    found = assess_move(facts)
    assert expected in found
    assert exit_status(found) == status


@pytest.mark.parametrize(
    ("release", "version"), [("6.1.0-18-amd64", (6, 1)), ("5.13", (5, 13)), ("10.0-rc1", (10, 0)), ("?", (0, 0))]
)
def test_the_version_of_a_kernel(release: str, version: tuple[int, int]) -> None:
    assert version_of(release) == version
