"""Noticing that another program has changed rules, within a second and at next to no cost.

On nft the kernel announces each change with the process that made it; a thread waits for that. Where it cannot, and of
the legacy tables, which can be asked for their number of rules and their size, the loop asks twice a second. Neither
tells what was changed: that is found by reading the rules and comparing.
"""

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import SimpleQueue

import structlog

from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.daemon.messages import ForeignChange, Message
from pykubeproxy.daemon.watch.own_changes import OwnChanges
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.generations import GenerationMonitor, RulesetGeneration, current_generation
from pykubeproxy.host.iptables import RestoreRun
from pykubeproxy.host.table_info import TableInfo, table_info
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import TABLES

log = structlog.get_logger()

# Seconds between two looks.
POLL_INTERVAL = 0.5

# Seconds before announcements are asked for again where they could not be followed.
_REOPENED_AFTER = 1.0

BelievedEntries = Mapping[Family, Mapping[str, int] | None]
"""The number of entries that each legacy table is believed to have; None for a family of which nothing is believed."""

_Tables = dict[tuple[Family, str], TableInfo | None]


class DriftPoll(ABC):
    """Something that the loop asks whether rules have been changed. Only the loop's thread uses it.

    `due` is the time at which to ask, in seconds of time.monotonic.
    """

    due: float

    def begin(self) -> bool:
        """A sync begins. True if somebody has changed something since the last one."""
        return self.ask()

    @abstractmethod
    def remember(self, believed: BelievedEntries) -> None:
        """A sync has ended: take what is there now for as it should be."""

    @abstractmethod
    def ask(self) -> bool:
        """True if somebody has changed something since `remember`, until that is called again."""


class LegacyPoll(DriftPoll):
    """Looks at the legacy tables of some families."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = tuple(families)
        self._expected: _Tables = {}
        self._is_refused = False
        self.due = 0.0

    def remember(self, believed: BelievedEntries) -> None:
        """Take the tables as they are now, just after a sync, for as they should be.

        Unless somebody was so quick that they have not even the number of entries that is `believed` of each; of a
        family of which nothing is believed, anything will do.
        """
        found = self._look()
        self._expected = {table: info for table, info in found.items() if _may_be(info, believed.get(table[0]))}
        self.due = time.monotonic() + POLL_INTERVAL

    def ask(self) -> bool:
        """True if somebody has changed the tables since `remember`; who it was, they do not tell."""
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
    """False if a table cannot be what is believed of it, as it has not that number of entries."""
    return info is None or believed is None or info.entries == believed.get(info.table)


class DriftWatch(DriftPoll, Follower):
    """Tells the loop when another process has changed the nftables ruleset.

    A thread follows what the kernel announces from the first sync on: it would make a large one slower by a third. The
    number of the ruleset tells about the time before, and about the time when announcements cannot be followed.
    """

    def __init__(self, inbox: "SimpleQueue[Message]", take_restore_runs: Callable[[], Sequence[RestoreRun]]) -> None:
        """`take_writes` tells what the program itself has written since the last call."""
        self.due = math.inf
        self._inbox = inbox
        self._take_writes = take_restore_runs
        self._own = OwnChanges(current_generation)
        self._watch: GenerationMonitor | None = None
        self._closed = threading.Event()
        self._is_blind = False
        self._has_begun = False

    def synced(self, sync: FinishedSync) -> None:
        """Begin to watch, once there is something to watch over."""
        if not self._has_begun and sync.result is not None:
            self._has_begun = True
            threading.Thread(target=self._run, name="nftables", daemon=True).start()

    def begin(self) -> bool:
        """A sync begins. True if somebody has changed something since the last one."""
        return self._own.begin()

    def remember(self, believed: BelievedEntries) -> None:
        """A sync has ended: tell the loop of what others have done meanwhile."""
        del believed
        for generation in self._own.end(self._take_writes()):
            self._tell(generation)
        self._be_due()

    def ask(self) -> bool:
        """True if somebody has changed something since the last sync."""
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
                    told = (
                        "cannot follow what nftables announces; other programs' changes are looked for twice a second"
                    )
                    log.warning(told, error=str(error))
                    self._is_blind = True
                    # Whatever was announced and not heard. And the loop asks for itself from the next sync on.
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
                    self._tell(generation)
        finally:
            self._watch.close()

    def _tell(self, generation: RulesetGeneration) -> None:
        self._inbox.put(ForeignChange(generation.process, generation.pid))
