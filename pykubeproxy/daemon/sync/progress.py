"""Logs the progress of a restore that takes long."""

import time
from collections.abc import Iterable, Iterator

from pykubeproxy import logger
from pykubeproxy.model.ip import Family

log = logger.get()

# Seconds between two log lines. A restore that takes less time needs none.
INTERVAL = 2.0


class Progress:
    """Iterates over about `total` lines of restore input, and logs how many of them have been taken.

    iptables-restore reads on only when it has processed what it read before, so this shows how far it is. `interval` is
    the time between two log lines, in seconds.
    """

    def __init__(self, lines: Iterable[str], total: int, family: Family, interval: float = INTERVAL) -> None:
        self._lines = lines
        self._total = total
        self._family = family
        self._interval = interval

    def __iter__(self) -> Iterator[str]:
        last = time.monotonic()
        for taken, line in enumerate(self._lines):
            # Not for every line: there may be hundreds of thousands.
            if taken % 1024 == 0 and time.monotonic() - last > self._interval:
                last = time.monotonic()
                log.info("writing rules", family=self._family, done=f"{min(taken / self._total, 1):.0%}")
            yield line
