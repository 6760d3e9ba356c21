"""Watches manifests, which can take the place of the API server."""

from queue import SimpleQueue

from pykubeproxy.cluster.manifests import POLL_INTERVAL, Manifests
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.messages import ALL_KINDS, Message, ObjectsChanged, ObjectsListed
from pykubeproxy.daemon.watch.periodic_thread import PeriodicThread


class ManifestWatcher:
    """Sends the loop all objects in the manifests, and then every change, until it is stopped.

    If none of the manifests can be read, ObjectsListed is not sent: the first sync waits, and the rules in force stay,
    as while an API server does not answer. If some of them cannot be read, the change says which.
    """

    def __init__(self, manifests: Manifests, inbox: "SimpleQueue[Message]") -> None:
        self._manifests = manifests
        self._inbox = inbox
        self._is_listed = False
        self._unread: tuple[str, ...] = ()
        self._polling = PeriodicThread("manifests", POLL_INTERVAL, self._poll)

    def start(self) -> None:
        """Read everything, then go on watching in the background."""
        self._manifests.wait_until_settled()
        self._send(self._manifests.load())
        self._polling.start()

    def stop(self) -> None:
        """End the thread. It is not waited for: it may be in the middle of a large manifest."""
        self._polling.stop()

    def _poll(self) -> bool:
        change = self._manifests.poll()
        if not change.is_empty or change.unread != self._unread:
            self._send(change)
        return False

    def _send(self, change: ObjectChanges) -> None:
        self._unread = change.unread
        self._inbox.put(ObjectsChanged(change))
        if not self._is_listed and not self._manifests.is_unreadable:
            self._is_listed = True
            self._inbox.put(ObjectsListed(ALL_KINDS))
