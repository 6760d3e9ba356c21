"""A reflector together with somebody who listens to it, for tests."""

import threading

from pykubeproxy.cluster.client import ApiClient
from pykubeproxy.cluster.reflector import Reflector
from pykubeproxy.cluster.resources import Resource
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.cluster.timeouts import Backoff
from pykubeproxy.model.snapshot import Object, ObjectId, identify
from tests.kernel.machine import wait_until

BACKOFF = Backoff(probe_interval=0.1, initial=0.04, maximum=0.1, stable_after=0.5)


class Following:
    """What a reflector has told so far, applied as the daemon does: first what is put, then what is removed."""

    def __init__(self, client: ApiClient, resource: Resource, *, can_stream: bool) -> None:
        self.changes: list[ObjectChanges] = []
        self.objects: dict[ObjectId, Object] = {}
        self.removed: list[str] = []
        self.listed: list[tuple[str, int]] = []
        """What was said to be listed, and how many objects there were then."""
        self.reflector = Reflector(
            client, resource, on_change=self._take, on_listed=self._take_listed, can_stream=can_stream
        )
        self.stop = self.reflector.stop

    def _take(self, change: ObjectChanges) -> None:
        self.changes.append(change)
        objects = self.objects | {identify(obj): obj for obj in change.put}
        self.removed += [name.name for name in change.removed]
        self.objects = {name: obj for name, obj in objects.items() if name not in change.removed}

    def _take_listed(self, kind: str) -> None:
        self.listed.append((kind, len(self.objects)))

    def names(self) -> set[str]:
        return {name.name for name in self.objects} - {"kubernetes"}

    def wait_listed(self) -> "Following":
        wait_until(lambda: bool(self.listed), "the list")
        return self

    def wait_names(self, *names: str) -> "Following":
        wait_until(lambda: self.names() == set(names), f"{names}")
        return self

    def wait_error(self, text: str) -> str:
        """Wait for trouble that has this text in it; return it whole."""
        wait_until(lambda: text in str(self.reflector.error), text)
        return str(self.reflector.error)


def threads(prefix: str) -> set[threading.Thread]:
    """The threads that run now and whose names begin like this; earlier tests may have left some that are ending."""
    return {thread for thread in threading.enumerate() if thread.name.startswith(prefix)}
