"""The loop: one thread that owns the Snapshot, takes messages from a queue, and syncs when it is time.

Sources and watchers run beside it and only put messages into the queue; nothing is shared.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from queue import Empty, SimpleQueue

import structlog
from msgspec.structs import replace

from pykubeproxy.cluster.source import Change
from pykubeproxy.daemon.drift import DriftPoll
from pykubeproxy.daemon.family import FamilyProxy
from pykubeproxy.daemon.follower import Follower, Outcome
from pykubeproxy.daemon.messages import POD_CIDRS, Changed, Disturbed, Failed, Listed, Message
from pykubeproxy.daemon.reporting import report
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.schedule import Schedule
from pykubeproxy.rules.options import RuleOptions

log = structlog.get_logger()

OptionsFor = Callable[[Node | None, Family], RuleOptions]
"""The options of a family, given this node's Node object, if there is one."""

_Step = tuple[float, Callable[[], object]]


class CannotGoOn(Exception):
    """The loop has to end, and the process with it: why, in one line."""


class Loop:
    """Keeps the rules of all families in step with what the sources tell.

    Nothing is synced before all kinds in `wait_for` have been listed.
    """

    def __init__(
        self,
        families: Mapping[Family, FamilyProxy],
        options_for: OptionsFor,
        schedule: Schedule,
        node_name: str,
        wait_for: Collection[str] = (),
    ) -> None:
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self.snapshot = Snapshot()
        self._families = families
        self._options_for = options_for
        self._schedule = schedule
        self._node_name = node_name
        self._wait_for = set(wait_for)
        self._polls: list[DriftPoll] = []
        self._followers: list[Follower] = []
        self._touched: set[ServiceKey] = set()
        self._is_pending = True
        self._has_failed = False
        self._disturbed: Disturbed | None = None
        self._last_end: float | None = None
        self._last_read = 0.0
        self._read_seconds = 0.0

    def follow(self, follower: Follower) -> None:
        """Tell `follower` what happens from now on."""
        self._followers.append(follower)

    def poll(self, poll: DriftPoll) -> None:
        """Ask `poll` for drift from now on."""
        self._polls.append(poll)

    @property
    def waits_for(self) -> frozenset[str]:
        """What has to be known before the first sync, and is not yet."""
        return frozenset(self._wait_for)

    def run(self) -> None:
        """Work for ever; whatever ends it leaves the rules as they are. Raises CannotGoOn."""
        while True:
            now = time.monotonic()
            due, act = min(self._agenda(), default=(now + _FOREVER, _nothing), key=_time)
            for message in self._receive(max(due - now, 0)):
                self.take(message)
            if time.monotonic() >= due:
                act()

    def take(self, message: Message) -> None:
        """Take in one message, without syncing yet. Raises CannotGoOn."""
        match message:
            case Changed(change):
                self._change(change)
            case Listed(kinds):
                self._wait_for -= kinds
            case Disturbed():
                self._disturbed = message
            case Failed(text):
                raise CannotGoOn(text)

    def sync(self, *, is_routine: bool = False) -> bool:
        """Bring all families up to date; one that fails does not stop the others. True if all are in sync."""
        self._is_pending = self._has_failed = False
        touched, self._touched = self._touched, set()
        cause, self._disturbed = self._disturbed, None
        for family, proxy in self._families.items():
            outcome = replace(self._sync(family, proxy, touched), cause=cause, is_routine=is_routine)
            self._has_failed |= outcome.error is not None
            report(outcome)
            for follower in self._followers:
                follower.synced(outcome)
        for poll in self._polls:
            poll.remember()
        self._last_end = time.monotonic()
        return not self._has_failed

    def audit(self) -> bool:
        """Sync against what is really there: read the live rules first."""
        for proxy in self._families.values():
            proxy.distrust()
        return self.sync(is_routine=True)

    def _sync(self, family: Family, proxy: FamilyProxy, touched: set[ServiceKey]) -> Outcome:
        start = time.monotonic()
        synced, failure = None, None
        try:
            proxy.update(self.snapshot, touched)
            synced = proxy.sync()
        except HostError as error:
            failure = error
        end = time.monotonic()
        if synced is None or synced.was_read:
            self._last_read, self._read_seconds = end, end - start
        return Outcome(
            family=family,
            proxy=proxy,
            snapshot=self.snapshot,
            touched=touched,
            seconds=end - start,
            synced=synced,
            error=failure,
        )

    def _agenda(self) -> Iterator[_Step]:
        """What to do when, as far as that is known now."""
        if self._wait_for:
            return
        due = self._schedule.sync_due(pending=self._is_pending, failed=self._has_failed, last_end=self._last_end)
        if due is not None:
            yield due, self.sync
        if self._last_end is None:
            return
        read = {"last_read": self._last_read, "read_seconds": self._read_seconds}
        if self._disturbed is not None:
            yield self._schedule.check_due(**read), self.audit
        yield self._schedule.audit_due(**read), self.audit
        for poll in self._polls:
            yield poll.due, partial(self._ask, poll)

    def _ask(self, poll: DriftPoll) -> None:
        if poll.ask():
            self._disturbed = self._disturbed or Disturbed()

    def _receive(self, patience: float) -> Iterator[Message]:
        """Wait for a message up to `patience` seconds, then take all that have come together."""
        try:
            yield self.inbox.get(timeout=patience)
            for _ in range(self.inbox.qsize()):
                yield self.inbox.get_nowait()
        except Empty:
            return

    def _change(self, change: Change) -> None:
        for note in change.notes:
            (log.error if note.is_error else log.info)(note.text)
        own_node = self.snapshot.nodes.get(self._node_name)
        touched: set[ServiceKey] = set()
        for obj in change.put:
            touched |= self.snapshot.put(obj)
        for name in change.removed:
            touched |= self.snapshot.remove(name)
        if self.snapshot.nodes.get(self._node_name) != own_node:
            self._follow_node()
        self._touched |= touched
        self._is_pending |= bool(touched)
        for follower in self._followers:
            follower.took(change, touched)

    def _follow_node(self) -> None:
        """Recompile where a change of this node's object changes the rules: another zone, another pod network."""
        node = self.snapshot.nodes.get(self._node_name)
        if node is not None and node.pod_cidrs:
            self._wait_for.discard(POD_CIDRS)
        for family, proxy in self._families.items():
            options = self._options_for(node, family)
            if options != proxy.options:
                proxy.reconfigure(options, self.snapshot)
                self._is_pending = True


# Long enough to mean no end, and short enough for any clock.
_FOREVER = 86400.0


def _nothing() -> None:
    """What is done when there is nothing to do."""


def _time(step: _Step) -> float:
    return step[0]
