"""Logs the progress of a restore that takes long."""

import time
from collections.abc import Callable, Iterable, Iterator

from pykubeproxy import logger
from pykubeproxy.model.ip import Family

log = logger.get()

# Seconds between two log lines. A restore that takes less time needs none.
INTERVAL = 2.0


class Progress:
    """Iterates over lines of restore input, and logs how much has been taken of them.

    iptables-restore reads on only when it has processed what it read before, so this shows how far it is. `share` says
    how much of all so many lines are, from 0 to 1. `interval` is the time between two log lines, in seconds.
    """

    def __init__(
        self, lines: Iterable[str], share: Callable[[int], float], family: Family, interval: float = INTERVAL
    ) -> None:
        self._lines = lines
        self._share = share
        self._family = family
        self._interval = interval

    def __iter__(self) -> Iterator[str]:
        last = time.monotonic()
        for taken, line in enumerate(self._lines):
            # Not for every line: there may be hundreds of thousands.
            if taken % 1024 == 0 and time.monotonic() - last > self._interval:
                last = time.monotonic()
                log.info("writing rules", family=self._family, done=f"{min(self._share(taken), 1):.0%}")
            yield line
