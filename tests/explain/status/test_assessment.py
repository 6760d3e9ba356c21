"""What follows from what was found out about a node: for each kind of trouble, what `status` says of it."""

import pytest
from msgspec.structs import replace

from pykubeproxy.explain.status.assessment import assess, exit_status
from pykubeproxy.explain.status.nftables_move import assess_move
from pykubeproxy.explain.status.node_state import NodeState, ProxyProcess, Setting
from pykubeproxy.explain.status.observations import Level, Observation, Topic, of_kernel, of_proxy, of_rules
from pykubeproxy.explain.status.observations.of_rules import FamilyTime
from pykubeproxy.explain.status.published import ApiOutage, ObjectSource, RefusedRules, Repair
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
FOREIGN = NftTable("inet", "firewalld", ("forward",))
LEFT = NftTable("ip", "kube-proxy")
IPVS = Leftovers(interfaces=("kube-ipvs0",))
REFUSED = RefusedRules(service="ns/web", cause="no such match", module="xt_recent")
SMALL = Setting(name="net/netfilter/nf_conntrack_max", wanted=9, current=5, is_met=False)
UNREADABLE = Setting(name="net/netfilter/nf_conntrack_max", wanted=9, current=None, is_met=False)

OF_A_MOVE = {each.topic for each in assess_move(MOVE)}


def repair(ago: float, program: str = "nft") -> Repair:
    return Repair(
        time=NOW - ago, family=Family.IPV4, chains=("nat KUBE-SERVICES",), chain_count=1, program=program, pid=8
    )


def connections(entries: int, dropped: int = 0) -> NodeState:
    return with_kernel(connections=ConntrackUsage(entries=entries, limit=1000, dropped=dropped))


def drifted(kind: type[of_rules.Drifted], times: int, seconds: float, program: str = "nft") -> of_rules.Drifted:
    return kind(program=program, pid=8, times=times, seconds=seconds, chains=("nat KUBE-SERVICES",), chain_count=1)


# The node, what is wrong or worth knowing there and was not before, and what `check` exits with.
CASES: dict[str, tuple[NodeState, list[Observation], int]] = {
    "all well": (WELL, [], 0),
    "starting": (
        with_status(
            source=ObjectSource(waits_for=("Node", "Service")),
            families=tuple(replace(its, synced_at=None) for its in FAMILIES),
        ),
        [of_proxy.WaitsForObjects(kinds=("Node", "Service")), of_rules.NeverSynced(families=BOTH)],
        1,
    ),
    "API away": (
        with_source(api_outage=ApiOutage(since=NOW - 90, error="refused")),
        [of_proxy.ApiAway(server="https://10.0.0.1:6443", seconds=90, error="refused")],
        1,
    ),
    "objects unread": (
        with_source(manifests="/srv", unread=("/srv/web.yaml",)),
        [of_proxy.ObjectsUnread(unread=("/srv/web.yaml",))],
        1,
    ),
    "sync fails": (
        with_family(failing_since=NOW - 10, error="no"),
        [of_rules.SyncFails(family=Family.IPV4, seconds=10, error="no")],
        1,
    ),
    "Service refused": (
        with_family(refused=(REFUSED,), refused_count=3),
        [of_rules.ServicesRefused(family=Family.IPV4, count=3, services=(REFUSED,))],
        1,
    ),
    "flushed": (
        with_kernel(proxy_chains={Family.IPV4: (), Family.IPV6: ("nft",)}),
        [of_rules.RulesMissing(family=Family.IPV4, backend="nft")],
        1,
    ),
    "in the other backend": (
        with_kernel(proxy_chains={Family.IPV4: ("nft", "legacy"), Family.IPV6: ("nft",)}),
        [of_proxy.BothBackendsUsed(family=Family.IPV4, wrong="legacy")],
        1,
    ),
    "drift": (with_status(repairs=(repair(120),)), [drifted(of_rules.Drifted, 1, 120)], 0),
    "drift long ago": (with_status(repairs=(repair(4000),)), [], 0),
    "drift again and again": (
        with_status(repairs=(repair(1800, "a"), *map(repair, (50, 40, 30, 20)))),
        [drifted(of_rules.Drifted, 1, 1800, "a"), drifted(of_rules.KeepsDrifting, 4, 20)],
        1,
    ),
    "somebody else answers": (
        replace(WELL, answer=replace(ANSWER, owner=1000, is_trusted=False)),
        [of_proxy.OtherOwner(address=METRICS, owner=1000)],
        0,
    ),
    "unhealthy": (
        replace(WELL, answer=replace(ANSWER, health=replace(HEALTHY, is_healthy=False, is_eligible=False))),
        [of_proxy.Unhealthy(address=HEALTH)],
        1,
    ),
    "about to go": (
        replace(WELL, answer=replace(ANSWER, health=replace(HEALTHY, is_eligible=False))),
        [of_proxy.NotEligible(address=HEALTH)],
        0,
    ),
    "no health server": (
        replace(WELL, answer=replace(ANSWER, health=None)),
        [of_proxy.HealthNotServed(address=HEALTH)],
        0,
    ),
    "no address": (with_status(node_addresses=("127.0.0.1", "::1")), [of_proxy.NoAddress(name="node-a")], 0),
    "shadow beside kube-proxy": (
        replace(with_status(is_shadow=True), processes=(KUBE_PROXY, SHADOW), process=SHADOW),
        [of_proxy.ShadowRuns(program="pykubeproxy 0.1.0", pid=9, seconds=7200)],
        0,
    ),
    "shadow alone, which would change something": (
        replace(
            with_status(is_shadow=True, families=(replace(FAMILIES[0], pending_chains=4, pending_rules=9),)),
            processes=(SHADOW,),
            process=SHADOW,
        ),
        [
            of_proxy.OnlyShadowRuns(program="pykubeproxy 0.1.0", pid=9, seconds=7200),
            of_rules.WouldChange(family=Family.IPV4, chains=4, rules=9),
        ],
        1,
    ),
    "two proxies": (
        replace(WELL, processes=(PROCESS, KUBE_PROXY)),
        [of_proxy.SeveralProxies(processes=("pykubeproxy run (pid 4711)", "kube-proxy --config=/c (pid 12)"))],
        1,
    ),
    "table nearly full": (connections(800), [of_kernel.TableNearlyFull(entries=800, limit=1000)], 0),
    "table full": (
        connections(960, 7),
        [of_kernel.TableFull(entries=960, limit=1000), of_kernel.PacketsDropped(count=7)],
        1,
    ),
    "no table": (with_kernel(connections=None, settings=(UNREADABLE,)), [of_kernel.TableUnknown()], 0),
    "forwarding off": (
        with_kernel(forwarding={Family.IPV4: False, Family.IPV6: True}),
        [of_kernel.ForwardingOff(family=Family.IPV4)],
        1,
    ),
    "forwarding of a family off in which nobody knows the node": (
        replace(
            with_status(node_addresses=("192.0.2.1",)),
            kernel=replace(WELL.kernel, forwarding={Family.IPV4: True, Family.IPV6: False}),
        ),
        [],
        0,
    ),
    "setting too small": (with_kernel(settings=(SMALL,)), [of_kernel.SettingDiffers(setting=SMALL)], 0),
    "setting that cannot be read": (
        with_kernel(settings=(UNREADABLE,)),
        [of_kernel.SettingDiffers(setting=UNREADABLE)],
        0,
    ),
    "setting that only root may read": (
        with_kernel(may_ask=False, proxy_chains={}, settings=(UNREADABLE, SMALL)),
        [
            of_kernel.SettingDiffers(setting=SMALL),
            of_kernel.SettingsNotLookedAt(names=(UNREADABLE.name,)),
            of_kernel.TablesNotLookedAt(),
            of_kernel.LeftoversNotLookedAt(),
        ],
        0,
    ),
    "other tables": (with_kernel(other_tables=(FOREIGN,)), [of_kernel.NativeTables(tables=(FOREIGN,))], 0),
    "left by nftables mode": (
        with_kernel(other_tables=(NftTable("ip", "kube-proxy", ("output",)),), leftovers=Leftovers(tables=(LEFT,))),
        [of_kernel.NftablesLeft(tables=(LEFT,))],
        1,
    ),
    "left by ipvs mode": (
        with_kernel(leftovers=IPVS),
        [of_kernel.IpvsLeft(leftovers=IPVS)],
        1,
    ),
    "not root, in sync as the proxy says": (
        with_kernel(may_ask=False, proxy_chains={}),
        [of_kernel.TablesNotLookedAt(), of_kernel.LeftoversNotLookedAt()],
        0,
    ),
    "nothing there": (IDLE, [of_proxy.NoProxyRuns(asked=(METRICS,)), of_rules.NoRules()], 1),
    "rules without a proxy": (
        replace(IDLE, kernel=replace(IDLE.kernel, proxy_chains={Family.IPV4: ("nft",), Family.IPV6: ()})),
        [of_proxy.NoProxyRuns(asked=(METRICS,)), of_rules.RulesWithoutProxy(families=(Family.IPV4,))],
        1,
    ),
    "no tools": (
        replace(IDLE, tools=(), tools_problem="none"),
        [of_proxy.NoProxyRuns(asked=(METRICS,)), of_proxy.NoTools(problem="none"), of_rules.NoRules()],
        1,
    ),
    "does not answer": (
        replace(IDLE, processes=(PROCESS,)),
        [of_proxy.ProxyDoesNotAnswer(process="pykubeproxy run (pid 4711)", asked=(METRICS,)), of_rules.NoRules()],
        1,
    ),
    "not root, and no answer": (
        replace(
            IDLE,
            processes=(replace(PROCESS, is_here=None),),
            kernel=replace(IDLE.kernel, may_ask=False, proxy_chains={}),
        ),
        [
            of_proxy.ProxyMayBeElsewhere(process="pykubeproxy run (pid 4711)", asked=(METRICS,)),
            of_rules.RulesNotLookedAt(),
            of_kernel.TablesNotLookedAt(),
            of_kernel.LeftoversNotLookedAt(),
        ],
        2,
    ),
    "kube-proxy": (with_kube_proxy(), [of_rules.RulesNotCompared()], 0),
    "kube-proxy that was flushed": (
        replace(with_kube_proxy(), kernel=replace(WELL.kernel, proxy_chains={Family.IPV4: (), Family.IPV6: ("nft",)})),
        [of_rules.RulesMissing(family=Family.IPV4, backend="nft"), of_rules.RulesNotCompared()],
        1,
    ),
    "kube-proxy that was refused": (
        with_kube_proxy(restore_failures=2),
        [of_rules.RestoresFailed(count=2), of_rules.RulesNotCompared()],
        0,
    ),
    "kube-proxy that has not synced": (
        with_kube_proxy(synced_at={"": 0.0}),
        [of_rules.NeverSynced(families=("",)), of_rules.RulesNotCompared()],
        1,
    ),
    "kube-proxy in nftables mode": (
        replace(
            with_kube_proxy(mode="nftables", synced_at={}),
            kernel=replace(WELL.kernel, proxy_chains={Family.IPV4: ()}, leftovers=Leftovers(tables=(LEFT,))),
        ),
        [of_proxy.OtherMode(mode="nftables")],
        0,
    ),
    "kube-proxy in ipvs mode": (
        replace(
            with_kube_proxy(mode="ipvs"),
            kernel=replace(WELL.kernel, leftovers=IPVS),
        ),
        [of_proxy.OtherMode(mode="ipvs")],
        0,
    ),
}


@pytest.mark.parametrize(("state", "expected", "status"), CASES.values(), ids=CASES.keys())
def test_what_is_not_well(state: NodeState, expected: list[Observation], status: int) -> None:
    observations = assess(state)
    assert [each for each in observations if each.level is not Level.OK] == expected
    assert exit_status(observations) == status


def test_all_that_is_said_of_a_node_that_is_well() -> None:
    observations = assess(WELL)
    topics = [topic for topic in Topic if topic not in OF_A_MOVE]
    assert [each.topic for each in observations] == topics, "one line for each, in this order"
    syncs = (FamilyTime("IPv4", 3.0, 0.012), FamilyTime("IPv6", 3.0, 0.012))
    for expected in (
        of_proxy.ProxyRuns(program="pykubeproxy 0.1.0", pid=4711, seconds=7200),
        of_proxy.FollowsApi(server="https://10.0.0.1:6443"),
        of_proxy.BackendUsed(backend="nft", families=BOTH, tools=("iptables-nft 1.8.9", "ip6tables-nft 1.8.9")),
        of_proxy.NodeKnown(name="node-a", addresses=("192.0.2.1", "2001:db8::1")),
        of_proxy.FamiliesServed(families=BOTH, services=10),
        of_rules.LastSyncs(times=syncs),
        of_rules.InSync(families=BOTH),
        of_rules.NoDrift(seconds=3600),
    ):
        assert expected in observations


def test_the_pid_is_the_one_that_this_command_sees() -> None:
    (runs, *_) = assess(replace(WELL, process=None))
    assert isinstance(runs, of_proxy.ProxyRuns)
    assert runs.pid == 1, "the proxy's own, if its process cannot be told"


def test_a_family_that_is_not_served_is_explained_unless_nobody_wants_it() -> None:
    def served(state: NodeState) -> of_proxy.FamiliesServed:
        return next(each for each in assess(state) if isinstance(each, of_proxy.FamiliesServed))

    one = replace(with_status(families=FAMILIES[:1]), why_no_ipv6="IPv6 is off")
    assert served(one).why_not_ipv6 == "IPv6 is off"
    wanted = replace(with_status(families=FAMILIES[:1], only_family=Family.IPV4), why_no_ipv6="IPv6 is off")
    assert served(wanted).why_not_ipv6 == ""


def test_what_kube_proxy_says_of_its_syncs() -> None:
    observations = assess(with_kube_proxy())
    times = (FamilyTime("IPv4", 5.0, 0.05), FamilyTime("IPv6", 6.0, 0.04))
    assert of_rules.LastSyncs(times=times, is_mean=True) in observations
    assert of_proxy.ProxyRuns(program="kube-proxy v1.36.2", pid=12, seconds=60) in observations
    assert of_proxy.Configured(file="/c") in observations
    assert of_proxy.LayoutUsed(dispatch="linear", commit="") in observations
