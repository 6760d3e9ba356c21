"""When the loop syncs: docs/reference/lifecycle.md section 11, and what it makes of news. Time is a number here."""

import math

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ALL_KINDS, POD_CIDRS, FatalError, ForeignChange, ObjectsListed
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.snapshot import ObjectId
from pykubeproxy.rules.options import RuleOptions
from tests.builders import NODE, cidr, options, service
from tests.daemon.fakes import Clock, FakeProxy, act_until, changed, followed, loop_of

T0 = 1000.0


def test_the_reference_example(clock: Clock, proxy: FakeProxy) -> None:
    """Lifecycle.md example F."""
    loop = loop_of(clock, proxy)
    act_until(loop, clock, T0)
    clock.now = start = T0 + 10
    loop.take(changed(service("ns/a", "172.30.0.1")))
    proxy.seconds, proxy.failure = 0.15, None
    loop.act()
    clock.now = start + 0.2
    for name in ("ns/b", "ns/c"):
        loop.take(changed(service(name, "172.30.0.2")))
    proxy.failure = HostError("no")
    act_until(loop, clock, start + 31)
    assert proxy.syncs[1:] == pytest.approx([start, start + 1.15])
    act_until(loop, clock, start + 32)
    assert proxy.syncs[3:] == pytest.approx([start + 31.3]), "a retry after syncPeriod"
    loop.take(changed(service("ns/d", "172.30.0.4")))
    act_until(loop, clock, start + 34)
    assert proxy.syncs[4:] == pytest.approx([start + 32.45]), "or earlier, if a change asks for it"


def test_without_a_minimum_each_change_is_synced_at_once_and_what_changes_nothing_is_not(
    clock: Clock, proxy: FakeProxy
) -> None:
    loop = loop_of(clock, proxy, min_interval=0.0)
    for number in range(5):
        loop.take(changed(service(f"ns/a{number}", f"172.30.0.{number}")))
        assert loop.time_to_next == 0
        loop.act()
    loop.take(changed(service("ns/a4", "172.30.0.4")))
    act_until(loop, clock, T0 + 20)
    assert proxy.syncs == [T0] * 5


def test_a_family_that_fails_does_not_stop_the_other(clock: Clock, proxy: FakeProxy) -> None:
    other = FakeProxy(clock, Family.IPV6)
    proxy.failure = HostError("no")
    loop, recorder = followed(clock, proxy, other)
    assert not loop.sync()
    assert [sync.error is None for sync in recorder.syncs] == [False, True]
    proxy.failure = None
    act_until(loop, clock, T0 + 30)
    assert len(proxy.syncs) == len(other.syncs) == 2
    assert recorder.syncs[-2].error is None


def test_live_rules_are_read_now_and_then_at_little_cost(clock: Clock, proxy: FakeProxy) -> None:
    other = FakeProxy(clock, Family.IPV6)
    loop = loop_of(clock, proxy, other)
    loop.act()
    act_until(loop, clock, T0 + 100)
    assert proxy.reads == other.reads == [T0, T0 + 30, T0 + 60, T0 + 90]
    proxy.read_seconds, other.read_seconds = 1.5, 0.5
    act_until(loop, clock, T0 + 900)
    assert proxy.reads[4:] == [T0 + 120, T0 + 320, T0 + 520, T0 + 720], "1 % of the time, for both families together"


FIREWALLD = ForeignChange("firewalld", 7)


@pytest.mark.parametrize(
    ("failure", "retry_due"),
    [(HostError("no"), math.inf), (None, T0 + 30), (None, math.inf)],
    ids=["what failed", "what was refused", "an audit"],
)
def test_only_a_repair_comes_sooner_than_the_shortest_interval(
    clock: Clock, proxy: FakeProxy, failure: HostError | None, retry_due: float
) -> None:
    proxy._desired.set_aside.due = retry_due
    proxy.failure = failure
    loop = loop_of(clock, proxy, min_interval=60.0, retry_interval=30.0)
    act_until(loop, clock, T0 + 100)
    loop.take(FIREWALLD)
    act_until(loop, clock, T0 + 110)
    assert proxy.syncs == [T0, T0 + 60, T0 + 100]


def test_a_disturbance_is_looked_at_soon_and_once(clock: Clock, proxy: FakeProxy) -> None:
    loop, recorder = followed(clock, proxy)
    loop.act()
    clock.now += 5
    loop.take(FIREWALLD)
    assert loop.time_to_next == 0
    loop.act()
    loop.take(FIREWALLD)
    act_until(loop, clock, T0 + 10)
    assert proxy.reads == [T0, T0 + 5, T0 + 5.25]
    assert [sync.cause for sync in recorder.syncs] == [None, FIREWALLD, FIREWALLD]


def test_a_change_that_comes_in_between_does_not_hide_it(clock: Clock, proxy: FakeProxy) -> None:
    proxy.read_seconds = 0.3
    loop, recorder = followed(clock, proxy, min_interval=0.0)
    loop.act()
    loop.take(FIREWALLD)
    loop.take(changed(service()))
    loop.act()
    assert proxy.reads == [T0], "the change was written without a look"
    act_until(loop, clock, T0 + 5)
    assert proxy.reads == [T0, T0 + 3]
    assert recorder.syncs[-1].cause == FIREWALLD


def test_only_another_zone_of_this_node_is_a_reason_to_sync(clock: Clock, proxy: FakeProxy) -> None:
    def zone_of_node(node: Node | None, family: Family) -> RuleOptions:
        return options(family, zone="" if node is None else node.zone)

    loop, recorder = followed(clock, proxy, options_for=zone_of_node)
    loop.take(changed(Node(name=NODE, zone="east")))
    loop.act()
    clock.now += 5
    loop.take(changed(Node(name="other", zone="west")))
    loop.take(changed(removed=[ObjectId("Node", "", "other")]))
    loop.take(changed(Node(name=NODE, zone="east", being_deleted=True)))
    with capture_logs() as logs:
        loop.take(changed(removed=[ObjectId("Node", "", NODE)]))
    assert [line["event"] for line in logs] == ["this node's Node object is gone; its last state stays in force"]
    assert (loop.time_to_next > 5, proxy.options.zone, len(recorder.changes)) == (True, "east", 5)
    loop.take(changed(Node(name=NODE, zone="west")))
    assert (loop.time_to_next, proxy.options.zone) == (0, "west")


PODS = (cidr("10.244.1.0/24"),)


def with_pods(node: Node | None, family: Family) -> RuleOptions:
    return replace(options(family), zone=str(node.pod_cidrs) if node else "")


@pytest.fixture
def waiting(clock: Clock, proxy: FakeProxy) -> Loop:
    """It needs the pod networks of this node."""
    return loop_of(clock, proxy, options_for=with_pods, wait_for=ALL_KINDS | {POD_CIDRS})


def test_pod_networks_are_waited_for(waiting: Loop, clock: Clock) -> None:
    waiting.take(ObjectsListed(frozenset({"Node", "Service"})))
    act_until(waiting, clock, clock.now + 299)
    waiting.take(changed(Node(name="other", pod_cidrs=PODS)))
    assert waiting.waits_for == {POD_CIDRS, "EndpointSlice"}
    waiting.take(changed(Node(name=NODE, pod_cidrs=PODS)))
    act_until(waiting, clock, clock.now + 10_000)
    assert waiting.waits_for == {"EndpointSlice"}, "lists are waited for without limit"


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([], f'timeout waiting for node "{NODE}" to exist'),
        ([Node(name=NODE)], f'timeout waiting for PodCIDR allocation on node "{NODE}"'),
    ],
)
def test_pod_networks_are_given_up_after_five_minutes(waiting: Loop, clock: Clock, nodes: list[Node], why: str) -> None:
    act_until(waiting, clock, clock.now + 1000)
    waiting.take(changed(*nodes))
    waiting.take(ObjectsListed(frozenset({"Node"})))
    act_until(waiting, clock, clock.now + 299.9)
    with pytest.raises(FatalError) as ended:
        act_until(waiting, clock, clock.now + 0.2)
    assert str(ended.value) == why
