"""Logs when the kernel's conntrack table is full: new connections fail then, whatever the rules say."""

from collections.abc import Callable

from pykubeproxy import logger
from pykubeproxy.daemon.watch.periodic_thread import PeriodicThread
from pykubeproxy.host.conntrack_usage import conntrack_usage
from pykubeproxy.model.conntrack_usage import ConntrackUsage

log = logger.get()

# Seconds between two looks.
_INTERVAL = 2.0

# The part of the table that must be free again before it counts as not full.
_RECOVERED = 0.05


class ConntrackReport:
    """Logs once when the table has become full, and once when it is not full any more."""

    def __init__(self) -> None:
        self._is_full = False
        self._dropped: int | None = None

    def look(self, usage: ConntrackUsage) -> None:
        """Compare with the look before, and log what has changed."""
        before, self._dropped = self._dropped, usage.dropped
        is_dropping = before is not None and usage.dropped > before
        if not self._is_full and (usage.is_full or is_dropping):
            self._is_full = True
            log.error(
                "nf_conntrack: table full, dropping new connections; raise nf_conntrack_max",
                entries=usage.entries,
                limit=usage.limit,
                dropped_packets=usage.dropped,
            )
        elif self._is_full and not is_dropping and usage.entries <= (1 - _RECOVERED) * usage.limit:
            self._is_full = False
            log.info("nf_conntrack: the table is not full any more", entries=usage.entries, limit=usage.limit)


class ConntrackWatch(PeriodicThread):
    """A thread that looks at the table every few seconds, logs what has changed, and calls `on_look`."""

    def __init__(
        self, on_look: Callable[[ConntrackUsage], None], look: Callable[[], ConntrackUsage | None] = conntrack_usage
    ) -> None:
        super().__init__("conntrack-usage", _INTERVAL, self._look_again)
        self._on_look = on_look
        self._look = look
        self._report = ConntrackReport()

    def start(self) -> None:
        """Look once, and then again and again in the thread."""
        self._look_again()
        super().start()

    def _look_again(self) -> bool:
        usage = self._look()
        if usage is not None:
            self._report.look(usage)
            self._on_look(usage)
        return False
