"""Progress of a restore that takes long."""

import time
from collections.abc import Iterable, Iterator

import structlog

from pykubeproxy.model.ip import Family

log = structlog.get_logger()

# Seconds between two reports. What is done in less needs none.
INTERVAL = 2.0


class Progress:
    """Lines of restore input, some `total` of them, which report how many have been taken while they are asked for.

    iptables-restore reads on only when it has dealt with what it read before, so this shows how far it is. `interval`
    is the time between two reports in seconds.
    """

    def __init__(self, lines: Iterable[str], total: int, family: Family, interval: float = INTERVAL) -> None:
        self._lines = lines
        self._total = total
        self._family = family
        self._interval = interval

    def __iter__(self) -> Iterator[str]:
        last = time.monotonic()
        for taken, line in enumerate(self._lines):
            # The clock is looked at once in a while only, for lines pass by the hundred thousand.
            if taken % 1024 == 0 and time.monotonic() - last > self._interval:
                last = time.monotonic()
                log.info("writing rules", family=self._family, done=f"{min(taken / self._total, 1):.0%}")
            yield line
