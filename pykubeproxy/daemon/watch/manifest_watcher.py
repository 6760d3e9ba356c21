"""Watches manifests, which can take the place of the API server."""

from queue import SimpleQueue

from msgspec.structs import replace

from pykubeproxy.cluster.manifests import POLL_INTERVAL, Manifests
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.messages import ALL_KINDS, Message, ObjectsChanged, ObjectsListed
from pykubeproxy.daemon.watch.periodic_thread import PeriodicThread
from pykubeproxy.model.service import Service

_NO_SERVICE = "no Service was found (give --allow-empty if that is meant)"


class ManifestWatcher:
    """Sends the loop all objects in the manifests, and then every change, until it is stopped.

    If none of the manifests can be read, ObjectsListed is not sent: the first sync waits, and the rules in force stay,
    as while an API server does not answer. If some of them cannot be read, the change says which.

    Until the first Service is found, objects count as unread as well, unless that is meant (`allow_empty`): rules of
    Services stay where a folder is not filled yet, or is the wrong one. Who deletes the last Service later means it.
    """

    def __init__(self, manifests: Manifests, inbox: "SimpleQueue[Message]", *, allow_empty: bool = False) -> None:
        self._manifests = manifests
        self._inbox = inbox
        self._has_begun = allow_empty
        self._is_listed = False
        self._unread: tuple[str, ...] = ()
        self._polling = PeriodicThread("manifests", POLL_INTERVAL, self._poll)

    def start(self) -> None:
        """Read everything, then go on watching in the background."""
        self._manifests.wait_until_settled()
        self._send(self._looked_through(self._manifests.load()))
        self._polling.start()

    def stop(self) -> None:
        """End the thread. It is not waited for: it may be in the middle of a large manifest."""
        self._polling.stop()

    def _poll(self) -> bool:
        change = self._looked_through(self._manifests.poll())
        if not change.is_empty or change.unread != self._unread:
            self._send(change)
        return False

    def _looked_through(self, change: ObjectChanges) -> ObjectChanges:
        self._has_begun |= any(isinstance(obj, Service) for obj in change.put)
        return change if self._has_begun else replace(change, unread=(*change.unread, _NO_SERVICE))

    def _send(self, change: ObjectChanges) -> None:
        self._unread = change.unread
        self._inbox.put(ObjectsChanged(change))
        if not self._is_listed and not self._manifests.is_unreadable:
            self._is_listed = True
            self._inbox.put(ObjectsListed(ALL_KINDS))
