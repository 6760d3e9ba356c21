"""What follows from what was found out about a node: for each kind of trouble, what `status` says of it."""

from typing import Any

import pytest
from msgspec.structs import replace

from pykubeproxy.explain.status import nftables_move as seen
from pykubeproxy.explain.status.assessment import assess
from pykubeproxy.explain.status.nftables_move import AddressUse, MoveFacts, RuleFacts, assess_move
from pykubeproxy.explain.status.node_state import EndedProcess, NodeState, ProxyProcess, Setting
from pykubeproxy.explain.status.observations import Level, Observation
from pykubeproxy.explain.status.observations import of_kernel as kernel
from pykubeproxy.explain.status.observations import of_proxy as proxy
from pykubeproxy.explain.status.observations import of_rules as rules
from pykubeproxy.explain.status.observations.of_rules import FamilyTime
from pykubeproxy.explain.status.published import ApiOutage, ObjectSource, RefusedRules, Repair
from pykubeproxy.explain.status.words import words
from pykubeproxy.model.conntrack_usage import ConntrackUsage
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import NftTable
from tests.explain.status.nodes import (
    ANSWER,
    FAMILIES,
    HEALTH,
    HEALTHY,
    IDLE,
    KUBE_PROXY,
    METRICS,
    MOVE,
    NOW,
    PROCESS,
    WELL,
    with_family,
    with_kernel,
    with_kube_proxy,
    with_source,
    with_status,
)

BOTH = (Family.IPV4, Family.IPV6)
SHADOW = ProxyProcess(pid=9, name="pykubeproxy", command=("pykubeproxy", "run", "--dry-run"))
ZOMBIE = EndedProcess(pid=8, name="kube-proxy", parent_pid=7, parent_name="sh")
FOREIGN = NftTable("inet", "firewalld", ("forward",))
LEFT = NftTable("ip", "kube-proxy")
LEFT_TABLES = Leftovers(tables=(LEFT,))
IPVS = Leftovers(interfaces=("kube-ipvs0",))
REFUSED = RefusedRules(service="ns/web", cause="no such match", module="xt_recent")
SMALL = Setting(name="net/netfilter/nf_conntrack_max", wanted=9, current=5, is_met=False)
UNREADABLE = Setting(name="net/netfilter/nf_conntrack_max", wanted=9, current=None, is_met=False)
SHADOWS: dict[str, Any] = {"program": "pykubeproxy 0.1.0", "pid": 9, "seconds": 7200}
ONLY_IPV6 = {Family.IPV4: (), Family.IPV6: ("nft",)}
UNSYNCED = tuple(replace(its, synced_at=None) for its in FAMILIES)

RUNS = "pykubeproxy run (pid 4711)"
NO_PROXY = proxy.NoProxyRuns(asked=(METRICS,))
IPV4_MISSING = rules.RulesMissing(family=Family.IPV4, backend="nft")
NOT_COMPARED = rules.RulesNotCompared()
NOT_LOOKED_AT = [kernel.TablesNotLookedAt(), kernel.LeftoversNotLookedAt()]


def repair(ago: float, program: str = "nft") -> Repair:
    chains = ("nat KUBE-SERVICES",)
    return Repair(time=NOW - ago, family=Family.IPV4, chains=chains, chain_count=1, program=program, pid=8)


def drifted(kind: type[rules.Drifted], times: int, seconds: float, program: str = "nft") -> rules.Drifted:
    return kind(program=program, pid=8, times=times, seconds=seconds, chains=("nat KUBE-SERVICES",), chain_count=1)


def connections(entries: int, dropped: int = 0) -> NodeState:
    return with_kernel(connections=ConntrackUsage(entries=entries, limit=1000, dropped=dropped))


def with_answer(**fields: Any) -> NodeState:
    return replace(WELL, answer=replace(ANSWER, **fields))


def shadow(*processes: ProxyProcess, **fields: Any) -> NodeState:
    """A node on which these run, the last of which only looks on."""
    return replace(with_status(is_shadow=True, **fields), processes=processes, process=SHADOW)


def also(state: NodeState, **fields: Any) -> NodeState:
    """The same with a kernel that shows something else."""
    return replace(state, kernel=replace(state.kernel, **fields))


UNSEEN: dict[str, Any] = {"may_ask": False, "proxy_chains": {}}


def kinds(value: object) -> str:
    return " ".join(type(each).__name__ for each in value) if isinstance(value, list) else ""


# The node, and what is wrong or worth knowing there.
CASES: list[tuple[NodeState, list[Observation]]] = [
    (WELL, []),
    (
        with_status(source=ObjectSource(waits_for=("Node", "Service")), families=UNSYNCED),
        [proxy.WaitsForObjects(kinds=("Node", "Service")), rules.NeverSynced(families=BOTH)],
    ),
    (
        with_source(api_outage=ApiOutage(since=NOW - 90, error="refused")),
        [proxy.ApiAway(server="https://10.0.0.1:6443", seconds=90, error="refused")],
    ),
    (with_source(manifests="/srv", unread=("/srv/web.yaml",)), [proxy.ObjectsUnread(unread=("/srv/web.yaml",))]),
    (with_family(failing_since=NOW - 10, error="no"), [rules.SyncFails(family=Family.IPV4, seconds=10, error="no")]),
    (
        with_family(refused=(REFUSED,), refused_count=3),
        [rules.ServicesRefused(family=Family.IPV4, count=3, services=(REFUSED,))],
    ),
    (with_family(ports_dropping=3), []),
    (
        with_status(families=tuple(replace(its, ports_refusing=2, ports_dropping=1) for its in FAMILIES)),
        [rules.PortsRefuse(families=BOTH, count=2)],
    ),
    (with_kernel(proxy_chains=ONLY_IPV6), [IPV4_MISSING]),
    (
        with_kernel(proxy_chains={Family.IPV4: ("nft", "legacy"), Family.IPV6: ("nft",)}),
        [proxy.BothBackendsUsed(family=Family.IPV4, wrong="legacy")],
    ),
    (with_status(repairs=(repair(120),)), [drifted(rules.Drifted, 1, 120)]),
    # Drift long ago is forgotten.
    (with_status(repairs=(repair(4000),)), []),
    (
        with_status(repairs=(repair(1800, "a"), *map(repair, (50, 40, 30, 20)))),
        [drifted(rules.Drifted, 1, 1800, "a"), drifted(rules.KeepsDrifting, 4, 20)],
    ),
    (with_answer(owner=1000, is_trusted=False), [proxy.OtherOwner(address=METRICS, owner=1000)]),
    (with_answer(health=replace(HEALTHY, is_healthy=False, is_eligible=False)), [proxy.Unhealthy(address=HEALTH)]),
    (with_answer(health=replace(HEALTHY, is_eligible=False)), [proxy.NotEligible(address=HEALTH)]),
    (with_answer(health=None), [proxy.HealthNotServed(address=HEALTH)]),
    (with_status(node_addresses=("127.0.0.1", "::1")), [proxy.NoAddress(name="node-a")]),
    (shadow(KUBE_PROXY, SHADOW), [proxy.ShadowRuns(**SHADOWS)]),
    # In a container, other processes may be hidden.
    (replace(shadow(SHADOW), writer_address=METRICS), [proxy.ShadowRuns(**SHADOWS)]),
    (
        shadow(SHADOW, families=(replace(FAMILIES[0], pending_chains=4, pending_rules=9),)),
        [proxy.OnlyShadowRuns(**SHADOWS), rules.WouldChange(family=Family.IPV4, chains=4, rules=9)],
    ),
    (
        replace(WELL, processes=(PROCESS, KUBE_PROXY)),
        [proxy.SeveralProxies(processes=(RUNS, "kube-proxy --config=/c (pid 12)"))],
    ),
    (connections(800), [kernel.TableNearlyFull(entries=800, limit=1000)]),
    (connections(960, 7), [kernel.TableFull(entries=960, limit=1000), kernel.PacketsDropped(count=7)]),
    (with_kernel(connections=None, settings=(UNREADABLE,)), [kernel.TableUnknown()]),
    (with_kernel(forwarding={Family.IPV4: False, Family.IPV6: True}), [kernel.ForwardingOff(family=Family.IPV4)]),
    (
        with_kernel(forward_drop={Family.IPV4: ("legacy",), Family.IPV6: ()}),
        [kernel.ForwardDrops(family=Family.IPV4, backend="legacy")],
    ),
    # In a family in which nobody knows the node, it need not forward.
    (also(with_status(node_addresses=("192.0.2.1",)), forwarding={Family.IPV4: True, Family.IPV6: False}), []),
    (with_kernel(settings=(SMALL,)), [kernel.SettingDiffers(setting=SMALL)]),
    (with_kernel(settings=(UNREADABLE,)), [kernel.SettingDiffers(setting=UNREADABLE)]),
    (
        with_kernel(**UNSEEN, settings=(UNREADABLE, SMALL)),
        [kernel.SettingDiffers(setting=SMALL), kernel.SettingsNotLookedAt(names=(UNREADABLE.name,)), *NOT_LOOKED_AT],
    ),
    (with_kernel(other_tables=(FOREIGN,)), [kernel.NativeTables(tables=(FOREIGN,))]),
    (
        with_kernel(other_tables=(NftTable("ip", "kube-proxy", ("output",)),), leftovers=LEFT_TABLES),
        [kernel.NftablesLeft(tables=(LEFT,))],
    ),
    (with_kernel(leftovers=IPVS), [kernel.IpvsLeft(leftovers=IPVS)]),
    (with_kernel(**UNSEEN), NOT_LOOKED_AT),
    (IDLE, [NO_PROXY, rules.NoRules()]),
    (
        also(IDLE, proxy_chains={Family.IPV4: ("nft",), Family.IPV6: ()}),
        [NO_PROXY, rules.RulesWithoutProxy(families=(Family.IPV4,))],
    ),
    (replace(IDLE, tools=(), tools_problem="none"), [NO_PROXY, proxy.NoTools(problem="none"), rules.NoRules()]),
    (replace(IDLE, ended=(ZOMBIE,)), [NO_PROXY, proxy.ProxyEnded(process=ZOMBIE), rules.NoRules()]),
    (replace(IDLE, processes=(PROCESS,)), [proxy.ProxyDoesNotAnswer(process=RUNS, asked=(METRICS,)), rules.NoRules()]),
    *(
        (
            replace(IDLE, processes=(replace(PROCESS, state=letter),)),
            [proxy.ProxyStuck(process=RUNS, pid=4711, state=letter), rules.NoRules()],
        )
        for letter in "TtD"
    ),
    (
        also(replace(IDLE, processes=(replace(PROCESS, is_here=None),)), **UNSEEN),
        [proxy.ProxyMayBeElsewhere(process=RUNS, asked=(METRICS,)), rules.RulesNotLookedAt(), *NOT_LOOKED_AT],
    ),
    (with_kube_proxy(), [NOT_COMPARED]),
    (also(with_kube_proxy(), proxy_chains=ONLY_IPV6), [IPV4_MISSING, NOT_COMPARED]),
    (with_kube_proxy(restore_failures=2), [rules.RestoresFailed(count=2), NOT_COMPARED]),
    (with_kube_proxy(synced_at={"": 0.0}), [rules.NeverSynced(families=("",)), NOT_COMPARED]),
    (
        also(with_kube_proxy(mode="nftables", synced_at={}), proxy_chains={Family.IPV4: ()}, leftovers=LEFT_TABLES),
        [proxy.OtherMode(mode="nftables")],
    ),
    (also(with_kube_proxy(mode="ipvs"), leftovers=IPVS), [proxy.OtherMode(mode="ipvs")]),
]


@pytest.mark.parametrize(("state", "expected"), CASES, ids=kinds)
def test_what_is_not_well(state: NodeState, expected: list[Observation]) -> None:
    assert [each for each in assess(state) if each.level is not Level.OK] == expected


def test_a_family_that_is_not_served_is_explained_unless_nobody_wants_it() -> None:
    def served(state: NodeState) -> proxy.FamiliesServed:
        return next(each for each in assess(state) if isinstance(each, proxy.FamiliesServed))

    one = replace(with_status(families=FAMILIES[:1]), why_no_ipv6="IPv6 is off")
    assert served(one).why_not_ipv6 == "IPv6 is off"
    wanted = replace(with_status(families=FAMILIES[:1], only_family=Family.IPV4), why_no_ipv6="IPv6 is off")
    assert served(wanted).why_not_ipv6 == ""


def test_what_kube_proxy_says_of_its_syncs() -> None:
    observations = assess(with_kube_proxy(ports_dropping={"IPv4": 3}))
    times = (FamilyTime("IPv4", 5.0, 0.05), FamilyTime("IPv6", 6.0, 0.04))
    assert rules.LastSyncs(times=times, is_mean=True) in observations
    assert rules.PortsDrop(families=("IPv4",), count=3) in observations
    assert proxy.ProxyRuns(program="kube-proxy v1.36.2", pid=12, seconds=60) in observations
    assert proxy.Configured(file="/c") in observations
    assert proxy.LayoutUsed(dispatch="linear", commit="") in observations


@pytest.mark.parametrize(
    ("unused", "ends", "says"),
    [
        ("none", False, []),
        ("all", False, ["with --reject-unused-ports all"]),
        ("none", True, ["with --end-established-tcp"]),
        ("all", True, ["with --reject-unused-ports all and --end-established-tcp"]),
    ],
)
def test_options_that_are_on_are_told(unused: str, *, ends: bool, says: list[str]) -> None:
    observations = assess(with_status(reject_unused=unused, end_established_tcp=ends))
    assert [words(each).says for each in observations if isinstance(each, proxy.OptionsOn)] == says


MOVE_RULES = RuleFacts(node_ports=2, other_addresses=3, localhost_packets=0)
PLAIN = replace(MOVE, rules=replace(MOVE_RULES, other_addresses=0))
MOVE_OPTIONS = ("iptables.syncPeriod",)
USED = (AddressUse("10.0.0.1", 4),)


def moving(**fields: object) -> MoveFacts:
    """A node that is to move, with other rules."""
    return replace(PLAIN, rules=replace(MOVE_RULES, **fields))


def test_a_node_on_which_a_move_to_nftables_mode_changes_nothing() -> None:
    found = assess_move(PLAIN)
    assert {each.level for each in found} == {Level.OK}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(PLAIN, kernel_release="5.10.0"), seen.KernelTooOld(release="5.10.0")),
        (replace(PLAIN, kernel_release="5.13.1"), seen.KernelSuits(release="5.13.1")),
        (replace(PLAIN, has_nftables=False), seen.KernelLacksNftables(release="6.1.0-18-amd64")),
        (moving(), seen.NodePortsNarrowed(addresses=3)),
        (moving(node_ports=0), seen.NodePortsStay(count=0, configured=())),
        (moving(elsewhere=USED), seen.NodePortsElsewhere(uses=USED)),
        (
            replace(moving(elsewhere=USED), node_port_addresses=("all",)),
            seen.NodePortsStay(count=2, configured=("all",)),
        ),
        (moving(localhost=1), seen.LocalhostUsed(counted=0, connections=1)),
        (moving(localhost_packets=7), seen.LocalhostUsed(counted=7, connections=0)),
        (moving(localhost_packets=None), seen.LocalhostNotCounted()),
        (replace(moving(localhost_packets=None), localhost_node_ports=False), seen.LocalhostUnused()),
        (moving(invalid_dropped=5), seen.InvalidPackets(count=5, is_fixed=True)),
        (replace(moving(invalid_dropped=5), kernel_release="5.15.0"), seen.InvalidPackets(count=5, is_fixed=False)),
        (replace(moving(invalid_dropped=5), tcp_be_liberal=True), seen.NoInvalidPackets()),
        (moving(health_checks=1), seen.HealthChecksLetThrough(count=1)),
        (moving(foreign_rules=("x",)), seen.OthersLeadHere(rules=("x",))),
        (replace(PLAIN, iptables_options=MOVE_OPTIONS), seen.OptionsLost(options=MOVE_OPTIONS)),
        (replace(PLAIN, has_config=False), seen.OptionsAssumed()),
        (replace(PLAIN, rules=None), rules.RulesNotLookedAt()),
    ],
)
def test_what_a_move_to_nftables_mode_would_change(facts: MoveFacts, expected: Observation) -> None:
    assert expected in assess_move(facts)
