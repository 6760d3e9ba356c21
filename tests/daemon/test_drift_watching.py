"""How foreign changes are noticed: announcements of nftables, and the numbers of legacy tables."""

from collections.abc import Iterator
from queue import SimpleQueue

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon import drift
from pykubeproxy.daemon.drift import DriftPoll, DriftWatch
from pykubeproxy.daemon.family import Synced
from pykubeproxy.daemon.follower import Outcome
from pykubeproxy.daemon.messages import Disturbed, Message
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.generations import UNKNOWN_CHANGE, Generation
from pykubeproxy.host.table_info import TableInfo, TableInfoError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.diff import Plan
from tests.daemon.fakes import Clock, FakeProxy

OWN = Generation(id=1, pid=5, process="iptables-nft-re")
FOREIGN = Generation(id=2, pid=7, process="firewalld")
ENTRIES = 8


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
        if table != "nat":
            return None
        return TableInfo(table=table, entries=self.entries, size=self.size, hooks=(), policies=())


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    its = Kernel()
    monkeypatch.setattr(drift, "table_info", its.info)
    return its


@pytest.fixture
def poll(kernel: Kernel) -> DriftPoll:
    del kernel
    return DriftPoll([Family.IPV4])


def believed() -> dict[Family, dict[str, int] | None]:
    return {Family.IPV4: {"nat": ENTRIES}}


def test_tables_that_stay_as_they_are(poll: DriftPoll) -> None:
    poll.remember(believed())
    assert not poll.ask()
    assert not poll.ask()


@pytest.mark.parametrize("field", ["entries", "size"])
def test_tables_that_change(poll: DriftPoll, kernel: Kernel, field: str) -> None:
    poll.remember(believed())
    setattr(kernel, field, 1)
    assert poll.ask()
    assert poll.ask(), "until a sync has dealt with it"


def test_what_was_changed_before_it_could_be_remembered(poll: DriftPoll, kernel: Kernel) -> None:
    """Between our own write and the look at what came of it, somebody may have been quicker."""
    kernel.entries -= 2
    poll.remember(believed())
    assert poll.ask()
    kernel.entries += 2
    poll.remember(believed())
    assert not poll.ask()


def test_nothing_is_believed_of_tables_after_a_failure(poll: DriftPoll, kernel: Kernel) -> None:
    kernel.entries -= 2
    poll.remember({Family.IPV4: None})
    assert not poll.ask()


def test_tables_that_cannot_be_asked_about_are_told_of_once(poll: DriftPoll, kernel: Kernel) -> None:
    poll.remember(believed())
    kernel.refuses = True
    with capture_logs() as logs:
        assert [poll.ask() for _ in range(3)] == [False] * 3
        poll.remember(believed())
    assert len(logs) == 1
    kernel.refuses = False
    assert not poll.ask()


class FakeWatch:
    """Announcements that have come already, and then none or an error."""

    announced: tuple[Generation, ...] = ()
    error: HostError | None = None
    made = 0

    def __init__(self) -> None:
        type(self).made += 1

    def __iter__(self) -> Iterator[Generation]:
        yield from self.announced
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        pass


def outcome(*, succeeded: bool) -> Outcome:
    return Outcome(
        family=Family.IPV4,
        proxy=FakeProxy(Clock()),
        snapshot=Snapshot(),
        touched=(),
        seconds=0,
        synced=Synced(plan=Plan()) if succeeded else None,
    )


@pytest.fixture
def watches(monkeypatch: pytest.MonkeyPatch) -> type[FakeWatch]:
    its = type("Watch", (FakeWatch,), {})
    monkeypatch.setattr(drift, "GenerationWatch", its)
    return its


def watch(inbox: "SimpleQueue[Message]") -> DriftWatch:
    return DriftWatch(inbox, lambda generation: generation.pid == OWN.pid)


def test_the_loop_hears_of_others_changes_only(watches: type[FakeWatch]) -> None:
    inbox: SimpleQueue[Message] = SimpleQueue()
    watches.announced = (OWN, FOREIGN, OWN, UNKNOWN_CHANGE)
    its = watch(inbox)
    its.synced(outcome(succeeded=True))
    assert inbox.get(timeout=10) == Disturbed("firewalld", 7)
    assert inbox.get(timeout=10) == Disturbed("", 0)
    its.close()
    assert inbox.empty()


def test_it_begins_with_the_first_sync_that_succeeds(watches: type[FakeWatch]) -> None:
    its = watch(SimpleQueue())
    its.synced(outcome(succeeded=False))
    assert watches.made == 0
    for _ in range(3):
        its.synced(outcome(succeeded=True))
    assert watches.made == 1


def test_a_kernel_that_announces_nothing_is_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> FakeWatch:
        raise HostError("no")

    monkeypatch.setattr(drift, "GenerationWatch", refuse)
    its = watch(SimpleQueue())
    with capture_logs() as logs:
        for _ in range(3):
            its.synced(outcome(succeeded=True))
        its.close()
    assert [line["event"] for line in logs] == ["changes by other programs are found by reading only"]


@pytest.mark.parametrize(
    ("its", "text"),
    [(Disturbed("firewalld", 7), "firewalld (pid 7)"), (Disturbed("x"), "x"), (Disturbed(), "unknown")],
)
def test_who_it_was(its: Disturbed, text: str) -> None:
    assert str(its) == text
