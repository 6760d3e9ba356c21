"""Knows for certain which changes of the nftables ruleset are our own, and which are other programs'.

The kernel numbers the generations of the ruleset without gaps: each commit that changes something makes one. A pid
alone does not identify a process, since a program in another container may have the same. But a netlink port belongs to
one socket at a time in a network namespace, and our tools use their pid as port. So a generation is ours if

- it was made between the beginning and the end of a sync in which we have written,
- through the port of a tool that ran for us meanwhile,
- and by the process that made the others of that port, as the kernel numbers processes.

Where generations are not announced, they are counted: if a sync has raised the number by just its own commits, there
no other program has changed anything.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from pykubeproxy.host.generations import UNKNOWN_CHANGE, RulesetGeneration
from pykubeproxy.host.iptables import RestoreRun

# Syncs whose announcements may still be on their way.
_REMEMBERED_SYNCS = 16

# Announcements in the course of one sync. There are some for each section of a large one.
_HELD = 10_000


class _OwnSync(msgspec.Struct, kw_only=True):
    """The generations after `first` up to `last`, and the tools that ran for us meanwhile: process by netlink port."""

    first: int
    last: int
    processes: dict[int, int | None]

    def covers(self, generation: RulesetGeneration) -> bool:
        return self.first < generation.id <= self.last

    def is_own(self, generation: RulesetGeneration) -> bool:
        """True if one of our tools has made it. The first announcement through a port shows its process."""
        if generation.port not in self.processes:
            return False
        if self.processes[generation.port] is None:
            self.processes[generation.port] = generation.pid
        return self.processes[generation.port] == generation.pid


class OwnChanges:
    """What is known of the latest generations. `begin` and `end` are for the thread that syncs, all else for any.

    `number` reads the number of the ruleset from the kernel; None if that is not possible.
    """

    def __init__(self, number: Callable[[], int | None]) -> None:
        self._number = number
        self._lock = threading.Lock()
        self._settled: int | None = None
        self._first: int | None = None
        self._is_syncing = False
        self._is_announced = False
        self._was_announced = False
        self._held: deque[RulesetGeneration] = deque(maxlen=_HELD)
        self._syncs: deque[_OwnSync] = deque(maxlen=_REMEMBERED_SYNCS)

    def is_changed(self) -> bool:
        """True if there is another generation now than after the last sync."""
        with self._lock:
            return self._settled is not None and self._number() != self._settled

    def begin(self) -> bool:
        """A sync begins. True if another program has changed something since the last one."""
        with self._lock:
            self._first, self._is_syncing, self._was_announced = self._number(), True, self._is_announced
            return self._settled is not None and self._first != self._settled

    def end(self, writes: Sequence[RestoreRun]) -> tuple[RulesetGeneration, ...]:
        """A sync has ended, which made these `writes`. Returns what others have done meanwhile, as far as is known."""
        with self._lock:
            first, last = self._first, self._number()
            self._settled, self._is_syncing = last, False
            held, self._held = self._held, deque(maxlen=_HELD)
            if first is None or last is None:
                # Only one of both could be read: what has happened meanwhile is not known.
                return (UNKNOWN_CHANGE,) if first is not last else ()
            self._syncs.append(_OwnSync(first=first, last=last, processes={write.pid: None for write in writes}))
            foreign = [each for each in held if each.is_known and each.id > first and not self._is_own(each)]
            if not foreign and not self._is_certain(first, last, writes, held):
                foreign.append(UNKNOWN_CHANGE)
            return tuple(foreign)

    def announced(self, generation: RulesetGeneration) -> bool:
        """A generation was announced. True if it is another program's. False during a sync: `end` decides about it."""
        with self._lock:
            if self._is_syncing:
                self._held.append(generation)
                return False
            return not (generation.is_known and self._is_own(generation))

    def announcements_begin(self) -> bool:
        """From now on all generations are announced. True if there was any between the last sync and now."""
        with self._lock:
            self._is_announced = True
            return not self._is_syncing and self._number() != self._settled

    def announcements_end(self) -> None:
        """Announcements may be lost from now on."""
        with self._lock:
            self._is_announced = self._was_announced = False

    def _is_certain(
        self, first: int, last: int, writes: Sequence[RestoreRun], held: Sequence[RulesetGeneration]
    ) -> bool:
        """True if whatever others did in a sync is announced, or if there is just what we have done ourselves.

        After a failure, it is not known what that is; the sync is repeated then, from a fresh look at the rules.
        """
        if any(write.commits is None for write in writes):
            return True
        if self._was_announced and UNKNOWN_CHANGE not in held:
            return True
        return last - first == sum(write.commits or 0 for write in writes)

    def _is_own(self, generation: RulesetGeneration) -> bool:
        """True if a generation was made for us, or has been seen by a sync that began later."""
        if self._settled is None or generation.id > self._settled:
            return False
        its = next((sync for sync in self._syncs if sync.covers(generation)), None)
        return its is None or its.is_own(generation)
