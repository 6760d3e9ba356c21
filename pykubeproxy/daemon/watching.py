"""The thread that watches manifests for the loop."""

import threading
from queue import SimpleQueue

from pykubeproxy.cluster.manifests import POLL_INTERVAL, Manifests
from pykubeproxy.daemon.messages import ALL_KINDS, Changed, Listed, Message


class ManifestWatcher:
    """Tells the loop what is in the manifests: everything at first, and then every change, until stopped."""

    def __init__(self, manifests: Manifests, inbox: "SimpleQueue[Message]") -> None:
        self._manifests = manifests
        self._inbox = inbox
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="manifests", daemon=True)

    def start(self) -> None:
        """Read everything, then go on watching in the background."""
        self._inbox.put(Changed(self._manifests.load()))
        self._inbox.put(Listed(ALL_KINDS))
        self._thread.start()

    def stop(self) -> None:
        """End the thread. It is not waited for: it may be in the middle of a large manifest."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(POLL_INTERVAL):
            change = self._manifests.poll()
            if not change.is_empty:
                self._inbox.put(Changed(change))
