"""The other side of the watch protocol, for pure tests: builds lines and pages, and checks steps."""

import json

from pykubeproxy.cluster.api_error import READ_TIMEOUT, ApiError, refused
from pykubeproxy.cluster.resources import ENDPOINT_SLICES
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.cluster.watch_protocol import (
    Command,
    EventLine,
    ListBody,
    ReadEvent,
    Reply,
    RequestFailed,
    RequestList,
    StartWatch,
    WatchEnded,
    WatchProtocol,
)
from pykubeproxy.model.snapshot import identify

BROKEN = RequestFailed(ApiError("broken off", kind="broken"))
SILENCE = RequestFailed(ApiError("no answer in time", kind=READ_TIMEOUT))
ENDED = WatchEnded()


def slice_json(name: str, version: int | str, **fields: object) -> dict[str, object]:
    labels = {"kubernetes.io/service-name": name}
    metadata = {"name": name, "namespace": "default", "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata, "addressType": "IPv4"} | fields


def event(kind: str, obj: object) -> EventLine:
    return EventLine(json.dumps({"type": kind, "object": obj}).encode())


def added(name: str, version: int) -> EventLine:
    return event("ADDED", slice_json(name, version))


def deleted(name: str, version: int) -> EventLine:
    return event("DELETED", slice_json(name, version))


def bookmark(version: int | str, *, ends_list: bool = False) -> EventLine:
    annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if ends_list else {}
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)} | annotations})


def error(code: int) -> EventLine:
    return event("ERROR", {"kind": "Status", "code": code, "message": "no"})


def page(version: int, *objects: tuple[str, int], more: str = "") -> ListBody:
    metadata = {"resourceVersion": str(version)} | ({"continue": more} if more else {})
    items = [slice_json(name, each) for name, each in objects]
    return ListBody(json.dumps({"metadata": metadata, "items": items or None}).encode())


def refusal(status: int, text: str = "no") -> RequestFailed:
    return RequestFailed(refused(status, text.encode()))


def names(change: ObjectChanges) -> tuple[list[str], list[str]]:
    """The names of what was put and of what was removed."""
    return sorted(identify(obj).name for obj in change.put), sorted(name.name for name in change.removed)


class Talk:
    """A conversation: `say` something, look at the `step` that follows, `names` what has changed since then."""

    def __init__(self, *, can_stream: bool = True) -> None:
        self.tracker = Tracker(ENDPOINT_SLICES)
        self._protocol = WatchProtocol(self.tracker, can_stream=can_stream, watch_seconds=lambda: 300)

    @property
    def step(self) -> Command:
        """What the protocol asks for next."""
        return self._protocol.command

    def say(self, *heard: Reply) -> "Talk":
        for each in heard:
            self._protocol.take(each)
        return self

    def names(self) -> tuple[list[str], list[str]]:
        return names(self.tracker.take())

    @property
    def query(self) -> dict[str, str]:
        """What the step asks for, but for what every watch asks for."""
        assert isinstance(self.step, RequestList | StartWatch), self.step
        usual = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "300"}
        if isinstance(self.step, StartWatch):
            assert usual.items() <= self.step.query.items()
            assert self.step.is_list == ("sendInitialEvents" in self.step.query)
            return {key: text for key, text in self.step.query.items() if key not in usual}
        return self.step.query

    @property
    def asks(self) -> tuple[type, dict[str, str], bool]:
        """What kind of request the step is, what it asks for, and whether it comes after a pause for trouble."""
        return type(self.step), self.query, not isinstance(self.step, ReadEvent) and self.step.after is not None


def listed(*objects: tuple[str, int], version: int = 10) -> Talk:
    """A conversation that has come to the end of its first list."""
    talk = Talk().say(*(added(name, each) for name, each in objects), bookmark(version, ends_list=True))
    talk.names()
    return talk
