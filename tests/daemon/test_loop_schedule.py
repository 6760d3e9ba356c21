"""When the loop syncs: docs/reference/lifecycle.md section 11. Time is a number here."""

import pytest

from pykubeproxy.daemon.messages import ALL_KINDS, ObjectsListed
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from tests.builders import service
from tests.daemon.fakes import Clock, FakeProxy, act_until, changed, followed, loop_of

T0 = 1000.0


def test_nothing_is_synced_before_everything_is_listed(clock: Clock, proxy: FakeProxy) -> None:
    loop = loop_of(clock, proxy, wait_for=ALL_KINDS)
    loop.take(changed(service()))
    for kind in ("Service", "Node"):
        loop.take(ObjectsListed(frozenset({kind})))
        act_until(loop, clock, clock.now + 10_000)
    assert proxy.syncs == []
    assert loop.waits_for == {"EndpointSlice"}
    loop.take(ObjectsListed(frozenset({"EndpointSlice"})))
    assert loop.time_to_next == 0
    loop.act()
    assert len(proxy.syncs) == 1


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
