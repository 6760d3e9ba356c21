"""Watching the configuration file, as kube-proxy does: when it changes, the process ends and is started anew.

What is watched is the file that was read, not its path: a ConfigMap volume that puts another one in its place is not
noticed, and neither is a change of its mode or times (`docs/reference/lifecycle.md` section 3).
"""

import os
from pathlib import Path
from queue import SimpleQueue

from pykubeproxy.daemon.messages import Message, Stop
from pykubeproxy.daemon.watch.periodic_thread import PeriodicThread

# Seconds between two looks.
_INTERVAL = 1.0

_UPDATED = "content of the proxy server's configuration file was updated"


class ConfigFileWatch:
    """A thread that ends the loop when the configuration file is written to or moved away."""

    def __init__(self, path: Path, content: bytes, inbox: "SimpleQueue[Message]") -> None:
        """`content` is what was read from `path`. Raises OSError if it is not there any more."""
        self._path = path
        self._content = content
        self._inbox = inbox
        self._file = path.open("rb")
        self._seen: tuple[int, int] | None = None
        self._is_moved = False
        self._looking = PeriodicThread("config-file", _INTERVAL, self._look)

    def start(self) -> None:
        """Begin to watch."""
        self._looking.start()

    def stop(self) -> None:
        """End the thread."""
        self._looking.join()
        self._file.close()

    def has_changed(self) -> bool:
        """Look at the file: True if there is something else in it than what was read, or it has another name now."""
        status = os.fstat(self._file.fileno())
        look = (status.st_mtime_ns, status.st_size)
        differs = look != self._seen and self._differs()
        self._seen = look
        # Believed at the second look only: a ConfigMap volume has the old file for a moment beside the new one.
        was_moved, self._is_moved = self._is_moved, self._has_other_name(status)
        return differs or (was_moved and self._is_moved)

    def _look(self) -> bool:
        has_changed = self.has_changed()
        if has_changed:
            self._inbox.put(Stop(_UPDATED))
        return has_changed

    def _differs(self) -> bool:
        self._file.seek(0)
        return self._file.read() != self._content

    def _has_other_name(self, status: os.stat_result) -> bool:
        """True if the file is not at its path any more, but somewhere; one that was deleted is of no interest."""
        try:
            return status.st_nlink > 0 and not os.path.samestat(self._path.stat(), status)
        except OSError:
            return status.st_nlink > 0
