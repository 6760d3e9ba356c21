"""What the loop does when somebody has changed rules: what was noticed is not forgotten, and costs little."""

from unittest.mock import Mock

from pykubeproxy.daemon.messages import ForeignChange
from tests.builders import service
from tests.daemon.fakes import Clock, FakeProxy, act_until, changed, followed

T0 = 1000.0
FIREWALLD = ForeignChange("firewalld", 7)


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


def test_polls_are_asked_until_they_notice_something(clock: Clock, proxy: FakeProxy) -> None:
    loop, recorder = followed(clock, proxy)
    poll = Mock(due=T0 + 0.5, **{"begin.return_value": False, "ask.return_value": False})
    loop.poll(poll)
    loop.act()
    for when, notices in ((0.5, False), (1.0, True)):
        clock.now, poll.ask.return_value = T0 + when, notices
        loop.act()
        poll.due += 0.5
    act_until(loop, clock, T0 + 1.4)
    assert proxy.reads == [T0, T0 + 1]
    assert recorder.syncs[-1].cause == ForeignChange()
    assert poll.remember.call_count == 2
