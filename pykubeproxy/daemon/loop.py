"""The loop: the main thread takes messages from a queue, and syncs when a sync is due.

Everything that it knows is its own. Other threads (listed in docs/threads.py) only put messages into the queue.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue

from pykubeproxy import logger
from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.first_sync import FirstSync
from pykubeproxy.daemon.follow.reporting import report
from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.daemon.foreign_changes import ForeignChanges, Step
from pykubeproxy.daemon.known_objects import KnownObjects
from pykubeproxy.daemon.messages import FatalError, ForeignChange, Message, ObjectsChanged, ObjectsListed, Stop
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.daemon.watch.drift import DriftPoll
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.schedule import Schedule
from pykubeproxy.rules.options import RuleOptions

log = logger.get()

OptionsFor = Callable[[Node | None, Family], RuleOptions]
"""The options of a family, given this node's Node object, if there is one."""

WhyNotServed = Callable[[Node | None], str | None]
"""Why this node cannot be served, known by its Node object if there is one; None if it can."""


def _no_objection(node: Node | None) -> None:
    del node


class Loop:
    """Keeps the rules of all families in sync with the objects.

    The first sync waits until all kinds of objects in `wait_for` have been listed; this node's pod CIDRs are waited for
    at most `pod_cidr_timeout` seconds. If `why_not_served` gives a reason then, the loop ends. With `follows_addresses`
    every sync computes the options anew, since they depend on the addresses of interfaces. `clock` gives seconds that
    never go back.
    """

    def __init__(  # noqa: PLR0913  the clock and its intervals are for tests
        self,
        families: Mapping[Family, FamilyProxy],
        options_for: OptionsFor,
        schedule: Schedule,
        node_name: str,
        wait_for: Collection[str] = (),
        *,
        pod_cidr_timeout: float = 300.0,
        follows_addresses: bool = False,
        why_not_served: WhyNotServed = _no_objection,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self._objects = KnownObjects(node_name)
        self._families = families
        self._options_for = options_for
        self._schedule = schedule
        self._first = FirstSync(wait_for, node_name, pod_cidr_timeout)
        self._follows_addresses = follows_addresses
        self._why_not_served = why_not_served
        self._clock = clock
        self._foreign = ForeignChanges(clock)
        self._followers: list[Follower] = [self._foreign.contention]
        self._is_pending = True
        self._expecting_until: float | None = None
        self._has_failed = False
        self._last_end: float | None = None
        self._last_read = 0.0
        self._read_seconds: dict[Family, float] = {}

    def follow(self, follower: Follower) -> None:
        """Call `follower` with each change and each sync from now on."""
        self._followers.append(follower)

    def poll(self, poll: DriftPoll) -> None:
        """Ask `poll` for drift from now on."""
        self._foreign.poll(poll)

    @property
    def snapshot(self) -> Snapshot:
        """The objects as they are known now."""
        return self._objects.snapshot

    @property
    def waits_for(self) -> frozenset[str]:
        """What has to be known before the first sync, and is not yet."""
        return self._first.missing

    @property
    def unread(self) -> tuple[str, ...]:
        """What a source cannot read now, so that objects may be missing."""
        return self._objects.unread

    @property
    def time_to_next(self) -> float:
        """The seconds until the next step is due, if no message comes."""
        due, _ = self._next()
        return max(due - self._clock(), 0)

    def expect(self) -> None:
        """The first objects are about to come: the families begin to fetch the live rules meanwhile."""
        if self._expecting_until is None:
            self._expecting_until = self._clock() + _EXPECTATION
            for proxy in self._families.values():
                proxy.expect()

    def run(self) -> None:
        """Run until an exception ends it, which leaves the rules in force. Raises FatalError."""
        while True:
            for message in self._receive(min(self.time_to_next, _LONGEST_WAIT)):
                self.take(message)
            self.act()

    def take(self, message: Message) -> None:
        """Take in one message, without syncing yet. Raises FatalError."""
        match message:
            case ObjectsChanged(change):
                self._change(change)
            case ObjectsListed(kinds):
                self._first.listed(kinds, self._clock())
            case ForeignChange():
                self._foreign.note(message)
            case Stop(reason):
                raise FatalError(reason)

    def act(self) -> None:
        """Do the next step if it is due. Raises FatalError."""
        due, action = self._next()
        if self._clock() >= due:
            action()

    def sync(self, *, is_routine: bool = False) -> bool:
        """Sync all families; one that fails does not stop the others. True if all are in sync.

        `is_routine` is for a sync that nothing in particular has made necessary. Raises FatalError instead of the first
        sync if this node cannot be served.
        """
        if self._last_end is None and (why := self._why_not_served(self._objects.node)):
            raise FatalError(why)
        if self._follows_addresses or self._has_failed:
            # A sync may have failed because the options name something, such as a counter, that the node has lost.
            self.reconfigure()
        self._foreign.begin_sync(is_first=self._last_end is None)
        self._is_pending = self._has_failed = False
        touched = self._objects.take_touched()
        syncs = [self._sync(family, proxy, touched, is_routine=is_routine) for family, proxy in self._families.items()]
        self._foreign.end_sync({family: proxy.believed_entries for family, proxy in self._families.items()})
        self._conclude(syncs)
        return all(sync.result is not None and not sync.result.refused.services for sync in syncs)

    def audit(self) -> bool:
        """Read the live rules, and sync against those.

        Health counts it as a requested sync: if it takes too long, the node is not healthy.
        """
        for proxy in self._families.values():
            proxy.distrust()
        if not any(proxy.always_reads for proxy in self._families.values()):
            for follower in self._followers:
                follower.sync_requested()
        return self.sync(is_routine=True)

    def _sync(self, family: Family, proxy: FamilyProxy, touched: set[ServiceKey], *, is_routine: bool) -> FinishedSync:
        """Sync one family, log the result, and call the followers."""
        start = self._clock()
        result, failure = None, None
        try:
            proxy.has_foreign_change = self._foreign.cause is not None
            proxy.update(self.snapshot, touched)
            result = proxy.sync()
        except HostError as error:
            failure = error
        sync = FinishedSync(
            family=family,
            proxy=proxy,
            snapshot=self.snapshot,
            touched=touched,
            traffic=proxy.take_traffic(),
            seconds=self._clock() - start,
            result=result,
            error=failure,
            refused_plans=proxy.refused_plans,
            cause=self._foreign.cause,
            is_routine=is_routine,
        )
        report(sync)
        for follower in self._followers:
            follower.synced(sync)
        return sync

    def _conclude(self, syncs: Sequence[FinishedSync]) -> None:
        """Remember when all families were synced, and whether that succeeded."""
        self._last_end = self._clock()
        self._has_failed = any(sync.result is None for sync in syncs)
        for sync in syncs:
            if sync.result is not None and sync.result.was_read:
                self._read_seconds[sync.family] = sync.result.read_seconds
        # A foreign change is repaired only by a sync that has read the live rules.
        if all(sync.result is None or sync.result.was_read for sync in syncs):
            self._last_read = self._last_end
            self._foreign.conclude(is_repaired=not self._has_failed)

    def _next(self) -> Step:
        return min(self._agenda(), default=(self._clock() + _FOREVER, _nothing), key=_time)

    def _agenda(self) -> Iterator[Step]:
        """The steps that are known now; of those due at the same time, the one that does most comes first."""
        if self._first.missing:
            if self._first.given_up_at is not None:
                yield self._first.given_up_at, self._give_up
            if self._expecting_until is not None:
                yield self._expecting_until, self._stop_expecting
            return
        due = self._schedule.sync_due(pending=self._is_pending, failed=self._has_failed, last_end=self._last_end)
        if self._last_end is not None:
            read = {"last_read": self._last_read, "read_seconds": sum(self._read_seconds.values())}
            check_due, earliest = self._schedule.check_due(**read), self._schedule.earliest(self._last_end)
            if (repair_due := self._foreign.repair_due) is not None:
                yield max(check_due, repair_due), self.audit
            yield max(self._schedule.audit_due(**read), earliest), self.audit
            if due is not None and any(proxy.always_reads for proxy in self._families.values()):
                due = max(due, check_due)
            yield from self._foreign.steps
            for proxy in self._families.values():
                yield max(proxy.retry_due, earliest), partial(self._retry, proxy)
        if due is not None:
            yield due, self.sync

    def _retry(self, proxy: FamilyProxy) -> None:
        """Try again what was refused: the node may have the missing kernel module by now."""
        self.reconfigure()
        proxy.retry()
        self.sync()

    def _stop_expecting(self) -> None:
        self._expecting_until = math.inf
        for proxy in self._families.values():
            proxy.stop_expecting()

    def _give_up(self) -> None:
        raise FatalError(self._first.timeout_message)

    def _receive(self, timeout: float) -> Iterator[Message]:
        """Wait for a message up to `timeout` seconds, then take all that have come together."""
        try:
            yield self.inbox.get(timeout=timeout)
            for _ in range(self.inbox.qsize()):
                yield self.inbox.get_nowait()
        except Empty:
            return

    def _change(self, change: ObjectChanges) -> None:
        self.expect()
        for note in change.notes:
            (log.error if note.is_error else log.info)(input_note_text(note))
        self._see_unread(change.unread)
        known_node = self._objects.node
        update = self._objects.take(change)
        self._is_pending |= bool(update.touched)
        is_other_node = self._objects.node != known_node and self._follow_node()
        for follower in self._followers:
            follower.objects_changed(change, update.touched)
            follower.slices_removed(update.removed)
            if is_other_node or (update.touched and not self._first.missing):
                follower.sync_requested()

    def _see_unread(self, unread: tuple[str, ...]) -> None:
        """Keep rules in force for objects that may only be unread, until all objects have been read once."""
        if not self._objects.see_unread(unread):
            return
        for proxy in self._families.values():
            if unread:
                proxy.hold()
            else:
                proxy.release(self.snapshot)
        self._is_pending = True

    def _follow_node(self) -> bool:
        """This node's Node object has changed. True if that changes the options of a family."""
        self._first.saw_node(self._objects.node)
        return self.reconfigure()

    def reconfigure(self) -> bool:
        """Compute all options anew, and recompile the families whose options have changed. True if there are any."""
        try:
            options = {family: self._options_for(self._objects.node, family) for family in self._families}
        except HostError as error:
            log.warning("cannot look at the node's addresses; rules stay as they are", error=str(error))
            return False
        changed = [family for family, proxy in self._families.items() if options[family] != proxy.options]
        for family in changed:
            self._families[family].reconfigure(options[family], self.snapshot)
        self._is_pending |= bool(changed)
        return bool(changed)


# Seconds from the first object on in which all objects should have come. iptables-save, which was started meanwhile and
# waits to be read, holds as much memory as this program.
_EXPECTATION = 10.0

# Seconds. A signal interrupts a wait only if it comes to the waiting thread, and not just before the wait begins. Any
# other signal is noticed when the wait ends by itself.
_LONGEST_WAIT = 0.5

# Seconds that stand for no end, and are short enough for any timer.
_FOREVER = 86400.0


def _nothing() -> None:
    """The step that is taken when there is none."""


def _time(step: Step) -> float:
    return step[0]
