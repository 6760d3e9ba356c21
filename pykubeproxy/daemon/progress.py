"""Progress of a restore that takes long."""

import time
from collections.abc import Iterable, Iterator

import structlog

from pykubeproxy.model.ip import Family

log = structlog.get_logger()

# Seconds between two reports. What is done in less needs none.
INTERVAL = 2.0


class Progress:
    """Lines of restore input, which report how many of `rules` have been taken while they are asked for.

    iptables-restore reads on only when it has dealt with what it read before, so this shows how far it is.
    """

    def __init__(self, lines: Iterable[str], rules: int, family: Family) -> None:
        self._lines = lines
        self._rules = rules
        self._family = family

    def __iter__(self) -> Iterator[str]:
        taken = 0
        last = time.monotonic()
        for line in self._lines:
            yield line
            taken += line.startswith("-")
            # The clock is looked at once in a while only, for lines pass by the hundred thousand.
            if taken % 1024 == 0 and time.monotonic() - last > INTERVAL:
                last = time.monotonic()
                log.info("writing rules", family=self._family, done=f"{min(taken / self._rules, 1):.0%}")
