"""Stand-ins for what the loop works with: a clock that stands still, and parts that do as they are told."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.daemon.loop import Loop
from pykubeproxy.daemon.messages import ObjectsChanged
from pykubeproxy.daemon.sync.family import FamilyProxy, SyncResult
from pykubeproxy.host.errors import HostError, RestoreError
from pykubeproxy.host.protocol import Counted
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.snapshot import Object, ObjectId, Snapshot
from pykubeproxy.plan.diff import ChainChange, Plan
from pykubeproxy.plan.schedule import Schedule
from pykubeproxy.rules.options import RuleOptions
from pykubeproxy.rules.ruleset import TABLES, Lines, Ruleset
from tests.builders import NODE, options
from tests.memory_host import MemoryHost

REFUSED = RestoreError("iptables-restore", "no")
PLAN = Plan(chains=(ChainChange(table="nat", chain="KUBE-SVC-X", before=None, after=("-A KUBE-SVC-X -j ACCEPT",)),))
NOTHING_DONE = SyncResult(plan=Plan())


class Clock:
    """Seconds that pass only when somebody says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FailingHost(MemoryHost):
    """Keeps what it has taken, counts how often it is read, and refuses as long as there are `failures`."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.written: list[list[str]] = []
        self.failures: Iterator[BaseException] = iter(())

    def save(
        self, known: Ruleset | None = None, tables: Iterable[str] = TABLES, counted: Counted | None = None
    ) -> Ruleset:
        self.reads += 1
        return super().save(known, tables, counted)

    def restore(self, lines: Iterable[str]) -> None:
        document = list(lines)
        for failure in self.failures:
            raise failure
        super().restore(document)
        self.written.append(document)


class FakeProxy(FamilyProxy):
    """Notes when it is synced. A sync takes `seconds`, of which `read_seconds` for reading if it has to read.

    With `found` rules in a chain in place of its own, it repairs that chain whenever it reads, but for the first time.
    """

    def __init__(self, clock: Clock, family: Family = Family.IPV4) -> None:
        super().__init__(options(family), MemoryHost())
        self._clock = clock
        self._has_read = False
        self.syncs: list[float] = []
        self.reads: list[float] = []
        self.seconds = 0.0
        self.read_seconds = 0.0
        self.failure: HostError | None = None
        self.found: Lines | None = None

    def sync(self) -> SyncResult:
        self.syncs.append(self._clock.now)
        self._clock.now += self.seconds
        if self.failure is not None:
            self._has_read = False
            raise self.failure
        if self._has_read and not self.always_reads:
            return NOTHING_DONE
        is_repair, self._has_read = bool(self.reads) and self.found is not None, True
        self.reads.append(self.syncs[-1])
        change = ChainChange(table="nat", chain="KUBE-SERVICES", before=self.found, after=("-A KUBE-SERVICES",))
        return SyncResult(
            plan=Plan(chains=(change,) if is_repair else ()),
            was_read=True,
            read_seconds=self.read_seconds,
            drifted=(("nat", change.chain),) if is_repair else (),
        )

    def distrust(self) -> None:
        self._has_read = False


class Recorder(Follower):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.syncs: list[FinishedSync] = []
        self.changes: list[ObjectChanges] = []

    def objects_changed(self, change: ObjectChanges, touched: object) -> None:
        del touched
        self.changes.append(change)

    def synced(self, sync: FinishedSync) -> None:
        self.syncs.append(sync)


def loop_of(
    clock: Clock,
    *proxies: FamilyProxy,
    options_for: Callable[[Node | None, Family], RuleOptions] = lambda _, family: options(family),
    min_interval: float = 1.0,
    retry_interval: float = 30.0,
    **fields: Any,
) -> Loop:
    """A loop with kube-proxy's intervals."""
    families = {proxy.options.family: proxy for proxy in proxies}
    schedule = Schedule(min_interval=min_interval, retry_interval=retry_interval)
    return Loop(families, options_for, schedule, NODE, clock=clock, **fields)


def followed(clock: Clock, *proxies: FamilyProxy, **fields: Any) -> tuple[Loop, Recorder]:
    """Such a loop, and who keeps what it tells."""
    loop, recorder = loop_of(clock, *proxies, **fields), Recorder()
    loop.follow(recorder)
    return loop, recorder


def finished(result: SyncResult | None = NOTHING_DONE, family: Family = Family.IPV4, **fields: Any) -> FinishedSync:
    """A sync that succeeded without doing anything, unless said otherwise; without a result it has failed."""
    defaults: dict[str, Any] = {
        "proxy": FakeProxy(Clock(), family),
        "snapshot": Snapshot(),
        "touched": (),
        "seconds": 0.25,
        "error": None if result else REFUSED,
    }
    return FinishedSync(family=family, result=result, **{**defaults, **fields})


def changed(*put: Object, removed: Iterable[ObjectId] = ()) -> ObjectsChanged:
    """A message with news of objects."""
    return ObjectsChanged(ObjectChanges(put=put, removed=tuple(removed)))


def act_until(loop: Loop, clock: Clock, end: float) -> None:
    """Let time pass, and the loop do whatever becomes due."""
    while clock.now + loop.time_to_next <= end:
        clock.now += loop.time_to_next
        loop.act()
    clock.now = max(clock.now, end)
