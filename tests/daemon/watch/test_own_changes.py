"""Whose a generation of the ruleset is: no foreign one passes for ours, and ours disturb nobody."""

import pytest

from pykubeproxy.daemon.watch.own_changes import OwnChanges
from pykubeproxy.host.generations import UNKNOWN_CHANGE, RulesetGeneration
from pykubeproxy.host.iptables import RestoreRun

PORT, PROCESS = 5, 4005
WROTE = RestoreRun(pid=PORT, commits=2)
FAILED = RestoreRun(pid=PORT, commits=None)


def made(id_: int, port: int = PORT, pid: int = PROCESS) -> RulesetGeneration:
    return RulesetGeneration(id=id_, pid=pid, process="x", port=port)


class Changes(OwnChanges):
    """The changes to a ruleset that has a number as the test says."""

    number: int | None = 10

    def __init__(self) -> None:
        super().__init__(lambda: self.number)

    def sync(
        self, then: int, *writes: RestoreRun, during: tuple[RulesetGeneration, ...] = ()
    ) -> tuple[RulesetGeneration, ...]:
        """What others have done in a sync that ends with the ruleset's number `then`."""
        self.begin()
        self.number = then
        for generation in during:
            assert not self.announced(generation), "the end will tell"
        return self.end(writes)


@pytest.fixture
def changes() -> Changes:
    return Changes()


def test_counted(changes: Changes) -> None:
    assert changes.sync(12, WROTE) == ()
    assert changes.sync(12) == ()
    assert changes.sync(13) == (UNKNOWN_CHANGE,)
    assert changes.sync(16, WROTE) == (UNKNOWN_CHANGE,)
    assert changes.sync(17, WROTE) == (UNKNOWN_CHANGE,), "a commit that changed nothing is a doubt"
    assert changes.sync(18, FAILED) == (), "it will be looked at anyway"


def test_changed_between_two_syncs(changes: Changes) -> None:
    assert not changes.begin()
    assert not changes.is_changed()
    changes.end(())
    assert not changes.is_changed()
    changes.number = 11
    assert changes.is_changed()
    assert changes.begin()
    assert changes.end(()) == ()
    assert not changes.is_changed()


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize(
    ("announcements", "foreign"),
    [
        ((made(11), made(12)), []),
        ((made(11),), []),
        ((made(11), made(12, port=9)), [12]),
        ((made(11), made(12, pid=4006)), [12]),
        ((made(11, pid=4006), made(12)), [12]),
        ((made(11, port=9, pid=9), made(12, port=9, pid=9)), [11, 12]),
        ((made(11), made(12), made(13)), [13]),
    ],
)
def test_announced(
    changes: Changes, announcements: tuple[RulesetGeneration, ...], foreign: list[int], *, is_late: bool
) -> None:
    """Those of a sync may be heard in its course or after it; one process alone can have had the port of our tool."""
    changes.sync(10)
    assert not changes.announcements_begin()
    if is_late:
        assert changes.sync(12, WROTE) == ()
        found = [generation.id for generation in announcements if changes.announced(generation)]
    else:
        found = [generation.id for generation in changes.sync(12, WROTE, during=announcements)]
    assert found == foreign


def test_lost_announcements(changes: Changes) -> None:
    changes.announcements_begin()
    assert changes.sync(12, WROTE, during=(UNKNOWN_CHANGE,)) == (), "the number tells"
    assert changes.sync(15, WROTE, during=(UNKNOWN_CHANGE,)) == (UNKNOWN_CHANGE,)
    assert changes.announced(UNKNOWN_CHANGE)
