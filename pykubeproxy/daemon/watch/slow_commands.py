"""Logs commands that take long: while the loop waits for a command that hangs, it logs nothing itself."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from pykubeproxy import logger
from pykubeproxy.daemon.watch.periodic_thread import PeriodicThread
from pykubeproxy.host.commands import RunningCommand, running

log = logger.get()

# Seconds until a command is logged; it is logged again after twice as long, and so on.
FIRST_REPORT = 10.0

_INTERVAL = 1.0


class SlowCommands(PeriodicThread):
    """Watches the commands that this program waits for; `clock` gives seconds as time.monotonic does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("commands", _INTERVAL, self._look_again)
        self._clock = clock
        self._reported: dict[int, tuple[RunningCommand, float]] = {}

    def look(self) -> None:
        """Log commands that have been running for long, and those that have ended after that."""
        now, current = self._clock(), running()
        for number, command in current.items():
            _, due = self._reported.get(number, (command, FIRST_REPORT))
            if now - command.since >= due:
                self._reported[number] = (command, 2 * due)
                log.warning(
                    "a command is still running; it is waited for",
                    command=command.command,
                    pid=command.pid,
                    since=datetime.fromtimestamp(command.started, UTC).isoformat(timespec="seconds"),
                    seconds=round(now - command.since),
                )
        for number in self._reported.keys() - current.keys():
            command, _ = self._reported.pop(number)
            log.info("a command has ended that took long", command=command.command, seconds=round(now - command.since))

    def _look_again(self) -> bool:
        self.look()
        return False
