"""Notices within a second that another program has changed rules, without reading them.

With nft, the kernel announces each change with the process that made it; a thread waits for that. Legacy tables are
polled by the loop twice a second: their number of rules and their size cost nothing to read. So is the number of
the nftables ruleset where announcements cannot be followed. None of this says what was changed: the loop reads the
rules, and compares.
"""

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import SimpleQueue

from pykubeproxy import logger
from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.daemon.messages import ForeignChange, Message
from pykubeproxy.daemon.watch.own_changes import OwnChanges
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.generations import GenerationMonitor, RulesetGeneration, current_generation
from pykubeproxy.host.iptables import RestoreRun
from pykubeproxy.host.table_info import TableInfo, table_info
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import TABLES

log = logger.get()

# Seconds between two looks.
POLL_INTERVAL = 0.5

# Seconds after which it is tried again to follow announcements.
_REOPENED_AFTER = 1.0

BelievedEntries = Mapping[Family, Mapping[str, int] | None]
"""The number of entries that each legacy table is believed to have; None for a family of which nothing is believed."""

_Tables = dict[tuple[Family, str], TableInfo | None]


class DriftPoll(ABC):
    """Is polled by the loop, on its thread, whether another program has changed rules.

    `due` is the time of the next poll, in seconds of time.monotonic.
    """

    due: float

    def begin(self) -> bool:
        """A sync begins. True if another program has changed something since the last one."""
        return self.ask()

    @abstractmethod
    def remember(self, believed: BelievedEntries) -> None:
        """A sync has ended: what is there now is as it should be."""

    @abstractmethod
    def ask(self) -> bool:
        """True if another program has changed something since `remember` was called last."""


class LegacyPoll(DriftPoll):
    """Polls the legacy tables of some families."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = tuple(families)
        self._expected: _Tables = {}
        self._is_refused = False
        self.due = 0.0

    def remember(self, believed: BelievedEntries) -> None:
        """The tables as they are now, just after a sync, are as they should be.

        Except for a table with another number of entries than `believed`: another program has already changed it.
        """
        found = self._look()
        self._expected = {table: info for table, info in found.items() if _may_be(info, believed.get(table[0]))}
        self.due = time.monotonic() + POLL_INTERVAL

    def ask(self) -> bool:
        """True if another program has changed the tables since `remember`; which one is not known."""
        self.due = time.monotonic() + POLL_INTERVAL
        return self._look() != self._expected

    def _look(self) -> _Tables:
        try:
            found = {(family, table): table_info(family, table) for family in self._families for table in TABLES}
        except HostError as error:
            if not self._is_refused:
                log.warning("cannot ask about the legacy tables; drift is found by reading only", error=str(error))
            self._is_refused = True
            return self._expected
        self._is_refused = False
        return found


def _may_be(info: TableInfo | None, believed: Mapping[str, int] | None) -> bool:
    """False if a table has another number of entries than is believed."""
    return info is None or believed is None or info.entries == believed.get(info.table)


class DriftWatch(DriftPoll, Follower):
    """Sends a message to the loop when another process has changed the nftables ruleset.

    A thread follows the kernel's announcements. It begins after the first sync, which it would make slower by a third.
    Before that, and while announcements cannot be followed, the number of the ruleset shows that it was changed.
    """

    def __init__(self, inbox: "SimpleQueue[Message]", take_restore_runs: Callable[[], Sequence[RestoreRun]]) -> None:
        """`take_restore_runs` returns the runs of restore tools since the last call."""
        self.due = math.inf
        self._inbox = inbox
        self._take_restore_runs = take_restore_runs
        self._own = OwnChanges(current_generation)
        self._watch: GenerationMonitor | None = None
        self._closed = threading.Event()
        self._is_blind = False
        self._has_begun = False

    def synced(self, sync: FinishedSync) -> None:
        """Start the thread after the first successful sync."""
        if not self._has_begun and sync.result is not None:
            self._has_begun = True
            threading.Thread(target=self._run, name="nftables", daemon=True).start()

    def begin(self) -> bool:
        """A sync begins. True if another program has changed something since the last one."""
        return self._own.begin()

    def remember(self, believed: BelievedEntries) -> None:
        """A sync has ended: send a message for each change by another program meanwhile."""
        del believed
        for generation in self._own.end(self._take_restore_runs()):
            self._send(generation)
        self._be_due()

    def ask(self) -> bool:
        """True if another program has changed something since the last sync."""
        self._be_due()
        return self._own.is_changed()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._watch is not None:
            self._watch.close()

    def _be_due(self) -> None:
        self.due = time.monotonic() + POLL_INTERVAL if self._is_blind else math.inf

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._follow()
            except HostError as error:
                self._own.announcements_end()
                if not self._is_blind:
                    log.warning(
                        "cannot follow what nftables announces; other programs' changes are looked for twice a second",
                        error=str(error),
                    )
                    self._is_blind = True
                    # Announcements may have been lost. And from the next sync on, the loop polls.
                    self._inbox.put(ForeignChange())
                self._closed.wait(_REOPENED_AFTER)

    def _follow(self) -> None:
        """Follow the announcements until they end. Raises HostError."""
        self._watch = GenerationMonitor()
        try:
            if self._closed.is_set():
                return
            if self._own.announcements_begin():
                self._inbox.put(ForeignChange())
            if self._is_blind:
                log.info("following what nftables announces again")
                self._is_blind = False
            for generation in self._watch:
                if self._own.announced(generation):
                    self._send(generation)
        finally:
            self._watch.close()

    def _send(self, generation: RulesetGeneration) -> None:
        self._inbox.put(ForeignChange(generation.process, generation.pid))
