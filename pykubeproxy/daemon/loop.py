"""The loop: one thread that owns the Snapshot, takes messages from a queue, and syncs when it is time.

Sources, signal handlers and whatever else runs beside it only put messages into the queue; nothing is shared.
"""

import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue

import structlog

from pykubeproxy.cluster.source import Change
from pykubeproxy.daemon.family import FamilyProxy
from pykubeproxy.daemon.messages import Changed, Message, Ready, Stop
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.plan.schedule import Schedule
from pykubeproxy.plan.summary import summarize
from pykubeproxy.rules.options import RuleOptions

log = structlog.get_logger()

OptionsFor = Callable[[Node | None, Family], RuleOptions]
"""The options of a family, given this node's Node object, if there is one."""


class Loop:
    """Keeps the rules of all families in step with what the sources tell."""

    def __init__(
        self,
        families: Mapping[Family, FamilyProxy],
        options_for: OptionsFor,
        schedule: Schedule,
        node_name: str,
    ) -> None:
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self.snapshot = Snapshot()
        self._families = families
        self._options_for = options_for
        self._schedule = schedule
        self._node_name = node_name
        self._touched: set[ServiceKey] = set()
        self._is_ready = False
        self._is_pending = False
        self._has_failed = False
        self._last_end: float | None = None

    def run(self) -> None:
        """Work until told to stop. The rules stay as they are then."""
        while True:
            try:
                message = self.inbox.get(timeout=self._patience())
            except Empty:
                self.sync()
                continue
            if isinstance(message, Stop):
                log.info("stopping; the rules stay in force", why=message.why)
                return
            self.take(message)

    def take(self, message: Changed | Ready) -> None:
        """Take in one message, without syncing yet."""
        if isinstance(message, Ready):
            self._is_ready = self._is_pending = True
            return
        self._note(message.change)
        own_node = self.snapshot.nodes.get(self._node_name)
        for obj in message.change.put:
            self._touched |= self.snapshot.put(obj)
        for name in message.change.removed:
            self._touched |= self.snapshot.remove(name)
        if self.snapshot.nodes.get(self._node_name) != own_node:
            self._follow_node()
        self._is_pending |= bool(self._touched)

    def sync(self) -> bool:
        """Bring all families up to date; one that fails does not stop the others. True if all are in sync."""
        self._is_pending = self._has_failed = False
        touched, self._touched = self._touched, set()
        for family, proxy in self._families.items():
            proxy.update(self.snapshot, touched)
            self._has_failed |= not _sync(family, proxy)
        self._last_end = time.monotonic()
        return not self._has_failed

    def _patience(self) -> float | None:
        """Seconds until the next sync; None if there is none to wait for."""
        if not self._is_ready:
            return None
        due = self._schedule.next_sync(pending=self._is_pending, failed=self._has_failed, last_end=self._last_end)
        return None if due is None else max(due - time.monotonic(), 0)

    def _follow_node(self) -> None:
        """Recompile where a change of this node's object changes the rules: another zone, another pod network."""
        node = self.snapshot.nodes.get(self._node_name)
        for family, proxy in self._families.items():
            options = self._options_for(node, family)
            if options != proxy.options:
                proxy.reconfigure(options, self.snapshot)
                self._is_pending = True

    def _note(self, change: Change) -> None:
        for note in change.notes:
            if note.is_error:
                log.error(note.text)
            else:
                log.info(note.text)


def _sync(family: Family, proxy: FamilyProxy) -> bool:
    start = time.monotonic()
    try:
        synced = proxy.sync()
    except HostError as error:
        log.error("sync failed; the rules in force stay, and it is tried again", family=family, error=str(error))
        return False
    seconds = round(time.monotonic() - start, 4)
    if not synced.plan.is_empty:
        log.info("synced", family=family, seconds=seconds, plan=str(summarize(synced.plan)))
    elif synced.was_read:
        log.info("in sync; nothing to write", family=family, seconds=seconds)
    return True
