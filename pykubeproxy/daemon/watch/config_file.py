"""Watches the configuration file, as kube-proxy does: when it changes, the process ends, to be started again.

The file that was read is watched, not its path: if a ConfigMap volume puts another file in its place, that is not
noticed. Neither is a change of its mode or times (`docs/reference/lifecycle.md` section 3).
"""

import os
from pathlib import Path
from queue import SimpleQueue

from pykubeproxy.daemon.messages import Message, Stop
from pykubeproxy.daemon.watch.periodic_thread import PeriodicThread

# Seconds between two looks.
_INTERVAL = 1.0

_UPDATED = "content of the proxy server's configuration file was updated"


class ConfigFileWatch(PeriodicThread):
    """A thread that ends the loop when the configuration file is written to or moved away."""

    def __init__(self, path: Path, content: bytes, inbox: "SimpleQueue[Message]") -> None:
        """`content` is what was read from `path`. Raises OSError if it is not there any more."""
        super().__init__("config-file", _INTERVAL, self._look_again)
        self._path = path
        self._content = content
        self._inbox = inbox
        self._file = path.open("rb")
        self._seen: tuple[int, int] | None = None
        self._is_moved = False

    def join(self) -> None:
        """End the thread, wait for that, and close the file."""
        super().join()
        self._file.close()

    def has_changed(self) -> bool:
        """Look at the file: True if its content has changed, or if it has been moved to another path."""
        status = os.fstat(self._file.fileno())
        look = (status.st_mtime_ns, status.st_size)
        differs = look != self._seen and self._differs()
        self._seen = look
        # Only if it is so twice: while a ConfigMap volume is updated, old and new file exist together for a moment.
        was_moved, self._is_moved = self._is_moved, self._has_other_name(status)
        return differs or (was_moved and self._is_moved)

    def _look_again(self) -> bool:
        has_changed = self.has_changed()
        if has_changed:
            self._inbox.put(Stop(_UPDATED))
        return has_changed

    def _differs(self) -> bool:
        self._file.seek(0)
        return self._file.read() != self._content

    def _has_other_name(self, status: os.stat_result) -> bool:
        """True if the file exists, but not at its path any more. A deleted file does not count."""
        try:
            return status.st_nlink > 0 and not os.path.samestat(self._path.stat(), status)
        except OSError:
            return status.st_nlink > 0
