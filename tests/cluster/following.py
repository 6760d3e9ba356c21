"""A reflector together with somebody who listens to it, for tests."""

import threading
import time
from collections.abc import Callable

from pykubeproxy.cluster.client import ApiClient
from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.cluster.outage import Backoff
from pykubeproxy.cluster.reflector import Reflector
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, Resource
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.model.snapshot import Object, ObjectId, identify
from tests.apiserver.server import ApiServer

SECONDS = 10.0
BACKOFF = Backoff(probe_interval=0.1, initial=0.04, maximum=0.1, stable_after=0.5)


class Following:
    """What a reflector has told so far, applied as the daemon does: first what is put, then what is removed."""

    def __init__(self, client: ApiClient, resource: Resource, *, can_stream: bool) -> None:
        self.changes: list[ObjectChanges] = []
        self.objects: dict[ObjectId, Object] = {}
        self.removed: list[str] = []
        self.notes: list[str] = []
        self.listed: list[str] = []
        self.objects_when_listed = 0
        self._news = threading.Condition()
        self.reflector = Reflector(
            client, resource, on_change=self._take, on_listed=self._take_listed, can_stream=can_stream
        )

    def _take(self, change: ObjectChanges) -> None:
        with self._news:
            self.changes.append(change)
            self.objects |= {identify(obj): obj for obj in change.put}
            for name in change.removed:
                self.objects.pop(name, None)
            self.removed += [name.name for name in change.removed]
            self.notes += [input_note_text(note) for note in change.notes]
            self._news.notify_all()

    def _take_listed(self, kind: str) -> None:
        with self._news:
            self.listed.append(kind)
            self.objects_when_listed = len(self.objects)
            self._news.notify_all()

    def names(self) -> set[str]:
        """The names of the objects that are there now."""
        with self._news:
            return {name.name for name in self.objects}

    def wait(self, condition: Callable[["Following"], bool], what: str = "it") -> None:
        """Wait until `condition` holds; it is asked again after every call of the reflector."""
        with self._news:
            assert self._news.wait_for(lambda: condition(self), SECONDS), f"{what} did not come; there is {self}"

    def wait_listed(self) -> "Following":
        """Wait for the first full list."""
        self.wait(lambda told: bool(told.listed), "the list")
        return self

    def wait_names(self, *names: str) -> "Following":
        """Wait until just these objects are there, beside those that the server has by itself."""
        self.wait(lambda told: {n.name for n in told.objects} - {"kubernetes"} == set(names), f"{names}")
        return self

    def stop(self) -> None:
        self.reflector.stop()

    def __str__(self) -> str:
        there = sorted(name.name for name in self.objects)
        return f"{there}, listed {self.listed}, trouble {self.reflector.error}, notes {self.notes}"


class Follow:
    """Begins to follow a server."""

    def __init__(self, begun: list[Following], connect_to: Callable[[ApiServer], ApiClient]) -> None:
        self._begun = begun
        self._connect_to = connect_to

    def __call__(
        self, server: ApiServer, resource: Resource = ENDPOINT_SLICES, *, can_stream: bool = True
    ) -> Following:
        """Start a reflector."""
        return self.through(self._connect_to(server), resource, can_stream=can_stream)

    def through(self, client: ApiClient, resource: Resource = ENDPOINT_SLICES, *, can_stream: bool = True) -> Following:
        """Start a reflector that uses this client."""
        following = Following(client, resource, can_stream=can_stream)
        self._begun.append(following)
        following.reflector.start()
        return following


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll for something that nobody tells of."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.005)
