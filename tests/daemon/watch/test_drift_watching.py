"""How foreign changes are noticed: announcements of nftables, and the numbers of legacy tables."""

import math
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.messages import ForeignChange, Message
from pykubeproxy.daemon.watch import drift
from pykubeproxy.daemon.watch.drift import DriftWatch, LegacyPoll
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.generations import UNKNOWN_CHANGE, RulesetGeneration
from pykubeproxy.host.iptables import RestoreRun
from pykubeproxy.host.table_info import TableInfo, TableInfoError
from pykubeproxy.model.ip import Family
from tests.daemon.fakes import finished

ENTRIES = 8
BELIEVED = {Family.IPV4: {"nat": ENTRIES}}


class LegacyKernel:
    """The nat table of the legacy backend, as the kernel tells of it; there is no filter table."""

    entries = ENTRIES
    size = 1000
    refuses = False

    def info(self, _: Family, table: str) -> TableInfo | None:
        if self.refuses:
            raise TableInfoError("no")
        its = TableInfo(table=table, entries=self.entries, size=self.size, hooks=(), policies=())
        return its if table == "nat" else None


def test_tables_that_change(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, its = LegacyKernel(), LegacyPoll([Family.IPV4])
    monkeypatch.setattr(drift, "table_info", kernel.info)
    its.remember(BELIEVED)
    assert not its.ask()
    kernel.size = 1
    assert its.ask()
    assert its.ask(), "until a sync has dealt with it"
    kernel.entries -= 2
    its.remember(BELIEVED)
    assert its.ask(), "changed between our own write and the look at what came of it"
    its.remember({Family.IPV4: None})
    assert not its.ask(), "nothing is believed of tables after a failure"
    kernel.refuses = True
    with capture_logs() as logs:
        assert [its.ask() for _ in range(3)] == [False] * 3
    assert len(logs) == 1, "told once"


class Watch(Iterator[RulesetGeneration]):
    """Stands for a GenerationMonitor: an iterator, which can be closed, over what a kernel announces."""

    def __init__(self) -> None:
        self.announcements: SimpleQueue[RulesetGeneration | Exception] = SimpleQueue()

    def __next__(self) -> RulesetGeneration:
        heard = self.announcements.get(timeout=10)
        if isinstance(heard, Exception):
            raise heard
        return heard

    def close(self) -> None:
        self.announcements.put(StopIteration())


class Bed:
    """A DriftWatch, its inbox, and a kernel whose ruleset has a number; who `refuses` cannot be watched."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.number = 10
        self.refuses = False
        self.opened = threading.Semaphore(0)
        self.kernel = Watch()
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self.writes: tuple[RestoreRun, ...] = ()
        patch.setattr(drift, "GenerationMonitor", self.open)
        patch.setattr(drift, "current_generation", lambda: self.number)
        patch.setattr(drift, "_REOPENED_AFTER", 0.001)
        self.watch = DriftWatch(self.inbox, lambda: self.writes)

    def open(self) -> Watch:
        if self.refuses:
            raise HostError("no netlink")
        self.kernel = Watch()
        self.opened.release()
        return self.kernel

    def sync(self, *writes: RestoreRun, then: int = 0) -> None:
        """A sync that raises the number of the ruleset to `then`."""
        self.writes = writes
        self.watch.begin()
        self.number = then or self.number
        self.watch.synced(finished())
        self.watch.remember({})

    def heard(self) -> Message:
        return self.inbox.get(timeout=10)


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    its = Bed(monkeypatch)
    yield its
    its.watch.close()


def own(id_: int) -> RulesetGeneration:
    return RulesetGeneration(id=id_, pid=5005, process="iptables-nft-re", port=5)


FOREIGN = RulesetGeneration(id=14, pid=7007, process="iptables", port=9)
WROTE = RestoreRun(pid=5, commits=2)


def test_the_loop_hears_of_others_changes_only_from_the_first_sync_that_succeeds_on(bed: Bed) -> None:
    bed.watch.synced(finished(None))
    assert not bed.opened.acquire(blocking=False)
    bed.sync(WROTE, then=13)
    assert bed.heard() == ForeignChange(), "more was committed than has been written"
    bed.sync()
    assert bed.opened.acquire(timeout=10)
    assert not bed.opened.acquire(blocking=False)
    for generation in (own(11), own(12), FOREIGN, UNKNOWN_CHANGE):
        bed.kernel.announcements.put(generation)
    assert [bed.heard(), bed.heard()] == [ForeignChange("iptables", 7007), ForeignChange()]
    assert bed.inbox.empty()


def test_an_error_of_netlink_does_not_end_the_watch(bed: Bed) -> None:
    bed.sync(WROTE, then=12)
    bed.opened.acquire(timeout=10)
    assert bed.watch.due == math.inf
    with capture_logs() as logs:
        bed.refuses = True
        bed.kernel.announcements.put(HostError("no buffers"))
        assert bed.heard() == ForeignChange(), "something may have been missed"
        bed.sync()
        assert bed.watch.due < math.inf, "the loop asks meanwhile"
        assert not bed.watch.ask()
        bed.number = 13
        assert bed.watch.ask()
        bed.refuses = False
        assert bed.heard() == ForeignChange(), "what was changed before it could be watched again"
        bed.kernel.announcements.put(FOREIGN)
        assert bed.heard() == ForeignChange("iptables", 7007)
    assert [line["event"].partition(";")[0] for line in logs] == [
        "cannot follow what nftables announces",
        "following what nftables announces again",
    ]
    bed.watch.ask()
    assert bed.watch.due == math.inf
