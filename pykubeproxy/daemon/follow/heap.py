"""Memory management, told what this program is like: it loads much that stays, in values without cycles."""

import ctypes
import gc
from collections.abc import Iterable
from contextlib import suppress

from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.model.ip import Family

# New containers between two looks for cycles while everything is loaded. Looking as often as by default takes a tenth
# of the time until the first sync; not looking at all could cost memory, for the API may keep the program waiting.
_WHILE_LOADING = 100_000


# Parameters of glibc (malloc.h). Blocks from this size on, in bytes, are mapped each for itself, and unmapped if freed:
# by default the limit rises with what is freed, and large dictionaries, as they grow and go, leave holes for good. And
# threads, of which one runs at a time, need no arenas of their own.
_MALLOC = {"M_MMAP_THRESHOLD": (-3, 128 * 1024), "M_ARENA_MAX": (-8, 1)}


class Heap(Follower):
    """Has the collector look less often until all families are synced, and then only at what is new since then."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._missing = set(families)
        self._usual = gc.get_threshold()
        gc.set_threshold(_WHILE_LOADING, *self._usual[1:])
        for parameter, value in _MALLOC.values():
            with suppress(OSError, AttributeError):  # other C libraries do otherwise
                ctypes.CDLL(None).mallopt(parameter, value)

    def synced(self, sync: FinishedSync) -> None:
        """Leave alone what has been loaded."""
        if self._missing and sync.result is not None:
            self._missing.discard(sync.family)
            if not self._missing:
                self.close()
                gc.freeze()

    def close(self) -> None:
        """Have the collector look as often as before."""
        gc.set_threshold(*self._usual)
