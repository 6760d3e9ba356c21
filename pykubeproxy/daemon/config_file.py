"""Watching the configuration file, as kube-proxy does: when it changes, the process ends and is started anew.

What is watched is the file that was read, not its path: a ConfigMap volume that puts another one in its place is not
noticed, and neither is a change of its mode or times (`lifecycle.md` section 3).
"""

import os
import threading
from pathlib import Path
from queue import SimpleQueue

from pykubeproxy.daemon.messages import Failed, Message

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
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config-file", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        seen = None
        while not self._stopped.wait(_INTERVAL):
            status = os.fstat(self._file.fileno())
            look = (status.st_mtime_ns, status.st_size)
            if self._was_moved(status) or (look != seen and self._differs()):
                self._inbox.put(Failed(_UPDATED))
                return
            seen = look

    def _differs(self) -> bool:
        self._file.seek(0)
        return self._file.read() != self._content

    def _was_moved(self, status: os.stat_result) -> bool:
        """True if the file has another name now; one that was deleted is of no interest."""
        try:
            return status.st_nlink > 0 and not os.path.samestat(self._path.stat(), status)
        except OSError:
            return status.st_nlink > 0
