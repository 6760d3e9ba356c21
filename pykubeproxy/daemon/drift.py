"""Noticing that another program has changed rules, within a second and at next to no cost.

On nft the kernel announces each change with the process that made it; a thread waits for that. The legacy tables can
be asked for their number of rules and their size, which the loop does twice a second. Neither tells what was changed:
that is found by reading the rules and comparing.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue

import structlog

from pykubeproxy.daemon.follower import Follower, Outcome
from pykubeproxy.daemon.messages import Disturbed, Message
from pykubeproxy.host.errors import HostError
from pykubeproxy.host.generations import Generation, GenerationWatch
from pykubeproxy.host.table_info import TableInfo, table_info
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import TABLES

log = structlog.get_logger()

# Seconds between two looks at the legacy tables.
POLL_INTERVAL = 0.5

_Tables = dict[tuple[Family, str], TableInfo | None]


class DriftPoll:
    """Looks at the legacy tables of some families. Only the loop's thread uses it."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = tuple(families)
        self._expected: _Tables = {}
        self._is_refused = False
        self.due = 0.0

    def remember(self, believed: Mapping[Family, Mapping[str, int] | None]) -> None:
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


class DriftWatch(Follower):
    """A thread that tells the loop when another process has changed the nftables ruleset.

    It begins after the first sync: the kernel's announcements would make a large one slower by a third.
    """

    def __init__(self, inbox: "SimpleQueue[Message]", is_own: Callable[[Generation], bool]) -> None:
        """`is_own` recognises the changes that were made for this program."""
        self._inbox = inbox
        self._is_own = is_own
        self._watch: GenerationWatch | None = None
        self._has_begun = False

    def synced(self, outcome: Outcome) -> None:
        """Begin to watch, once there is something to watch over."""
        if self._has_begun or outcome.synced is None:
            return
        self._has_begun = True
        try:
            self._watch = GenerationWatch()
        except HostError as error:
            _tell_blind(error)
            return
        threading.Thread(target=self._run, args=(self._watch,), name="nftables", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        if self._watch is not None:
            self._watch.close()

    def _run(self, watch: GenerationWatch) -> None:
        try:
            for generation in watch:
                if not self._is_own(generation):
                    self._inbox.put(Disturbed(generation.process, generation.pid))
        except HostError as error:
            _tell_blind(error)


def _tell_blind(error: HostError) -> None:
    log.warning("changes by other programs are found by reading only", error=str(error))
