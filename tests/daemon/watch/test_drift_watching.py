"""How foreign changes are noticed: announcements of nftables, and the numbers of legacy tables."""

import math
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.messages import ForeignChange, Message
from pykubeproxy.daemon.watch import drift
from pykubeproxy.daemon.watch.drift import DriftPoll, DriftWatch, LegacyPoll
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.generations import UNKNOWN_CHANGE, RulesetGeneration
from pykubeproxy.host.iptables import RestoreRun
from pykubeproxy.host.table_info import TableInfo, TableInfoError
from pykubeproxy.model.ip import Family
from tests.daemon.fakes import finished

ENTRIES = 8
BELIEVED = {Family.IPV4: {"nat": ENTRIES}}


class Kernel:
    """The nat table of the legacy backend, as the kernel tells of it; there is no filter table."""

    def __init__(self) -> None:
        self.entries = ENTRIES
        self.size = 1000
        self.refuses = False

    def info(self, family: Family, table: str) -> TableInfo | None:
        del family
        if self.refuses:
            raise TableInfoError("no")
        its = TableInfo(table=table, entries=self.entries, size=self.size, hooks=(), policies=())
        return its if table == "nat" else None


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    its = Kernel()
    monkeypatch.setattr(drift, "table_info", its.info)
    return its


@pytest.fixture
def poll(kernel: Kernel) -> DriftPoll:
    """It has remembered the table as it should be."""
    del kernel
    its = LegacyPoll([Family.IPV4])
    its.remember(BELIEVED)
    assert not its.ask()
    return its


@pytest.mark.parametrize("field", ["entries", "size"])
def test_tables_that_change(poll: DriftPoll, kernel: Kernel, field: str) -> None:
    setattr(kernel, field, 1)
    assert poll.ask()
    assert poll.ask(), "until a sync has dealt with it"


def test_what_was_changed_before_it_could_be_remembered(poll: DriftPoll, kernel: Kernel) -> None:
    """Between our own write and the look at what came of it, somebody may have been quicker."""
    kernel.entries -= 2
    poll.remember(BELIEVED)
    assert poll.ask()
    poll.remember({Family.IPV4: None})
    assert not poll.ask(), "nothing is believed of tables after a failure"


def test_tables_that_cannot_be_asked_about_are_told_of_once(poll: DriftPoll, kernel: Kernel) -> None:
    kernel.refuses = True
    with capture_logs() as logs:
        assert [poll.ask() for _ in range(3)] == [False] * 3
        poll.remember(BELIEVED)
    assert len(logs) == 1
    kernel.refuses = False
    assert not poll.ask()


class Announcements:
    """The nftables of a kernel that announces what the test says, until the watch is closed."""

    def __init__(self) -> None:
        self.number: int | None = 10
        self.opened = threading.Semaphore(0)
        self.refuses = False
        self._queue: SimpleQueue[RulesetGeneration | HostError | None] = SimpleQueue()

    def watch(self) -> Iterator[RulesetGeneration]:
        if self.refuses:
            raise HostError("no netlink")
        self.opened.release()
        self._queue = SimpleQueue()
        return Watching(self._queue)

    def announce(self, *generations: RulesetGeneration | HostError) -> None:
        for generation in generations:
            self._queue.put(generation)


class Watching(Iterator[RulesetGeneration]):
    """What stands for a GenerationMonitor, which is an iterator that can be closed."""

    def __init__(self, queue: "SimpleQueue[RulesetGeneration | HostError | None]") -> None:
        self._queue = queue

    def __next__(self) -> RulesetGeneration:
        heard = self._queue.get(timeout=10)
        if isinstance(heard, HostError):
            raise heard
        if heard is None:
            raise StopIteration
        return heard

    def close(self) -> None:
        self._queue.put(None)


@pytest.fixture
def nftables(monkeypatch: pytest.MonkeyPatch) -> Announcements:
    its = Announcements()
    monkeypatch.setattr(drift, "GenerationMonitor", its.watch)
    monkeypatch.setattr(drift, "current_generation", lambda: its.number)
    monkeypatch.setattr(drift, "_REOPENED_AFTER", 0.001)
    return its


class Watcher:
    """A DriftWatch, its inbox, and what the program has written in a sync."""

    def __init__(self) -> None:
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self.writes: tuple[RestoreRun, ...] = ()
        self.watch = DriftWatch(self.inbox, lambda: self.writes)

    def sync(self, nftables: Announcements, *writes: RestoreRun, then: int = 0) -> bool:
        """A sync that raises the number of the ruleset to `then`; True if it found that it was changed before."""
        self.writes = writes
        was_changed = self.watch.begin()
        nftables.number = then or nftables.number
        self.watch.synced(finished())
        self.watch.remember({})
        return was_changed

    def heard(self) -> Message:
        return self.inbox.get(timeout=10)


@pytest.fixture
def watcher(nftables: Announcements) -> Iterator[Watcher]:
    del nftables
    its = Watcher()
    yield its
    its.watch.close()


def own(*ids: int) -> tuple[RulesetGeneration, ...]:
    return tuple(RulesetGeneration(id=id_, pid=5005, process="iptables-nft-re", port=5) for id_ in ids)


def foreign(id_: int) -> RulesetGeneration:
    return RulesetGeneration(id=id_, pid=7007, process="iptables", port=9)


WROTE = RestoreRun(pid=5, commits=2)


def test_the_loop_hears_of_others_changes_only(watcher: Watcher, nftables: Announcements) -> None:
    assert not watcher.sync(nftables, WROTE, then=12)
    nftables.opened.acquire(timeout=10)
    nftables.announce(*own(11, 12), foreign(13))
    assert watcher.heard() == ForeignChange("iptables", 7007)
    nftables.announce(UNKNOWN_CHANGE)
    assert watcher.heard() == ForeignChange()
    assert watcher.inbox.empty()


def test_a_change_before_the_watch_begins(watcher: Watcher, nftables: Announcements) -> None:
    """It shows in the number: more was committed than has been written."""
    watcher.sync(nftables, WROTE, then=13)
    assert watcher.heard() == ForeignChange()
    assert watcher.inbox.empty()


def test_a_change_between_the_end_of_the_sync_and_the_beginning_of_the_watch(nftables: Announcements) -> None:
    its = Watcher()
    nftables.refuses = True
    its.sync(nftables, WROTE, then=12)
    assert its.heard() == ForeignChange(), "as it cannot be watched"
    assert not its.sync(nftables)
    nftables.number = 13
    nftables.refuses = False
    assert its.heard() == ForeignChange()
    its.watch.close()


def test_an_error_of_netlink_does_not_end_the_watch(watcher: Watcher, nftables: Announcements) -> None:
    watcher.sync(nftables, WROTE, then=12)
    nftables.opened.acquire(timeout=10)
    assert watcher.watch.due == math.inf
    with capture_logs() as logs:
        nftables.refuses = True
        nftables.announce(HostError("no buffers"))
        assert watcher.heard() == ForeignChange(), "something may have been missed"
        watcher.sync(nftables)
        assert watcher.watch.due < math.inf, "the loop asks meanwhile"
        assert not watcher.watch.ask()
        nftables.number = 13
        assert watcher.watch.ask()
        watcher.sync(nftables)
        nftables.refuses = False
        assert nftables.opened.acquire(timeout=10)
        nftables.announce(foreign(14))
        assert watcher.heard() == ForeignChange("iptables", 7007)
    assert [line["event"].partition(";")[0] for line in logs] == [
        "cannot follow what nftables announces",
        "following what nftables announces again",
    ]
    watcher.watch.ask()
    assert watcher.watch.due == math.inf


def test_it_begins_with_the_first_sync_that_succeeds(watcher: Watcher, nftables: Announcements) -> None:
    watcher.watch.synced(finished(None))
    assert not nftables.opened.acquire(blocking=False)
    for _ in range(3):
        watcher.sync(nftables)
    assert nftables.opened.acquire(timeout=10)
    assert not nftables.opened.acquire(blocking=False)
