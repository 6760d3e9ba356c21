"""Settings of memory management for a program that loads many objects at the start, and keeps them."""

import ctypes
import gc
from collections.abc import Iterable
from contextlib import suppress

from pykubeproxy.daemon.follower import FinishedSync, Follower
from pykubeproxy.model.ip import Family

# While everything is loaded, this many new containers lie between two runs of the garbage collector. Its default takes
# a tenth of the time until the first sync; without any runs, memory could grow while the program waits for the API.
_WHILE_LOADING = 100_000


# Parameters of glibc's malloc (malloc.h). Blocks of at least M_MMAP_THRESHOLD bytes are mapped one by one, and unmapped
# when they are freed. By default glibc raises that limit when a large block is freed, and the holes that growing
# dictionaries leave are never given back. One arena is enough, since only one Python thread runs at a time.
_MALLOC = {"M_MMAP_THRESHOLD": (-3, 128 * 1024), "M_ARENA_MAX": (-8, 1)}


def set_malloc() -> None:
    """Set the C library's memory management (_MALLOC).

    To be called before any thread starts: a thread that runs already keeps a memory arena of its own.
    """
    for parameter, value in _MALLOC.values():
        with suppress(OSError, AttributeError):  # a C library without mallopt
            ctypes.CDLL(None).mallopt(parameter, value)


class Heap(Follower):
    """Garbage collection is rarer until all families are synced, and then skips what has been loaded."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._missing = set(families)
        self._usual = gc.get_threshold()
        gc.set_threshold(_WHILE_LOADING, *self._usual[1:])

    def synced(self, sync: FinishedSync) -> None:
        """After the first sync of all families, exclude what has been loaded."""
        if self._missing and sync.result is not None:
            self._missing.discard(sync.family)
            if not self._missing:
                self.close()
                gc.freeze()

    def close(self) -> None:
        """Give the garbage collector its usual settings back."""
        gc.set_threshold(*self._usual)
