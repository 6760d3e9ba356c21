"""WATCH: which lines a watch sends, in which order, and how it breaks if a test wants it to.

Source: "Efficient detection of changes", "Watch bookmarks" and "Streaming lists" in "API Concepts".
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

import msgspec

from tests.apiserver.faults import BreakKind
from tests.apiserver.objects import Selection
from tests.apiserver.resources import Resource
from tests.apiserver.store import ApiError, Change, Store, Version
from tests.apiserver.wire import Ending, Wire

_LOOK_INTERVAL = 0.1
"""Seconds between two looks whether the client is still there."""
_LAST_LINES = {
    "end": b"",
    "garbage": b'{"type":"MODIFIED","object":\x00\xff this is no JSON\n',
    "truncate": b'{"type":"MODIFIED","object":{"metadata":{"name":"ku',
}
_LAST_ERRORS = {
    "expired": ApiError(410, "Expired", "The resourceVersion for the provided watch is too old."),
    "error": ApiError(500, "InternalError", "Internal error occurred: etcdserver: leader changed"),
}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a list or watch asks for; ``resource_version`` None means most recent, ``timeout`` is in seconds."""

    selection: Selection
    resource_version: int | None = None
    timeout: int = 0
    bookmarks: bool = False
    send_initial_events: bool = False


def line(kind: str, obj: Any) -> bytes:
    return msgspec.json.encode({"type": kind, "object": obj}) + b"\n"


def whole(resource: Resource, version: Version) -> bytes:
    """Return an object as JSON with kind and apiVersion, which the items of lists lack."""
    return msgspec.json.encode(resource.typed)[:-1] + b"," + version.body[1:]


class Stream:
    """A watch on a connection. :meth:`first`, then :meth:`run` in the connection's thread; :meth:`order` in any."""

    def __init__(self, store: Store, resource: Resource, options: Options, wire: Wire) -> None:
        self.resource = resource
        self._store = store
        self._options = options
        self._wire = wire
        self._after = 0
        """The revision up to which everything has been sent."""
        self._orders: deque[tuple[BreakKind, int]] = deque()

    def first(self, patience: float) -> list[bytes]:
        """Return the lines that come first: the initial state, if it was asked for, and the bookmark that ends it.

        Waits up to ``patience`` seconds for a revision in the future. Raises a 410 or 504.
        """
        options, wanted = self._options, self._options.resource_version
        if wanted and not options.send_initial_events:
            self._store.check_history(wanted)
            self._after = wanted
            return []
        if wanted:
            self._store.wait_for(wanted, patience)
        self._after, versions = self._store.versions(self.resource.plural)
        lines = [self._line("ADDED", each) for each in versions if options.selection.takes(each)]
        is_marked = options.send_initial_events and options.bookmarks
        return [*lines, self.bookmark(ends_initial=True)] if is_marked else lines

    def bookmark(self, *, ends_initial: bool = False) -> bytes:
        """Return a BOOKMARK line; ``ends_initial`` marks the end of a streaming list."""
        marks = {"annotations": {"k8s.io/initial-events-end": "true"}} if ends_initial else {}
        return line("BOOKMARK", self.resource.typed | {"metadata": {"resourceVersion": str(self._after)} | marks})

    def order(self, how: BreakKind) -> None:
        """Break the watch, after what has happened so far and before what comes."""
        with self._store.changed:
            self._orders.append((how, self._store.revision))
            self._store.changed.notify_all()

    def run(self) -> Ending:
        """Send what happens in the store until the watch ends. Raises OSError if the client goes while sending."""
        deadline = time.monotonic() + (self._options.timeout or 3600.0)
        while not self._wire.client_is_gone():
            with self._store.changed:
                self._store.changed.wait_for(self._has_news, _LOOK_INTERVAL)
                how, until = self._orders.popleft() if self._orders else (None, self._store.revision)
                changes = self._store.changes(self.resource.plural, self._after, until)
                self._after = max(self._after, until)
            self._wire.send_chunk(b"".join(map(self._seen, changes)))
            if how is not None:
                return self.suffer(how)
            if time.monotonic() >= deadline:
                return self.suffer("end")
        return Ending.CUT

    def suffer(self, how: BreakKind) -> Ending:
        if how == "half-open":
            self._wire.wait_for_client_to_go()
        if how in _LAST_LINES or how in _LAST_ERRORS:
            error = _LAST_ERRORS.get(how)
            self._wire.send_chunk(line("ERROR", error.status) if error else _LAST_LINES[how])
            self._wire.end_chunks()
            return Ending.KEEP
        return Ending.RESET if how == "reset" else Ending.CUT

    def _has_news(self) -> bool:
        return bool(self._orders) or self._store.revision > self._after or self._wire.stopping.is_set()

    def _seen(self, change: Change) -> bytes:
        """What a watcher sees of a change: an object that starts to match is ADDED, one that stops is DELETED.

        The latter has its last matching content, and the resourceVersion of the change.
        """
        takes = self._options.selection.takes
        if change.current is not None and takes(change.current):
            return self._line("MODIFIED" if takes(change.previous) else "ADDED", change.current)
        if change.previous is not None and takes(change.previous):
            return self._line("DELETED", change.previous.at(change.revision))
        return b""

    def _line(self, kind: str, version: Version) -> bytes:
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), whole(self.resource, version))


class Watchers:
    """The set of streams that have sent their initial state and have not been broken. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._streams: set[Stream] = set()

    def add(self, stream: Stream) -> None:
        with self._changed:
            self._streams.add(stream)
            self._changed.notify_all()

    def discard(self, stream: Stream) -> None:
        with self._changed:
            self._streams.discard(stream)

    def count(self, resource: str = "") -> int:
        with self._changed:
            return sum(resource in ("", stream.resource.plural) for stream in self._streams)

    def wait(self, count: int, resource: str, timeout: float) -> bool:
        """Wait until there are at least ``count``; False if not within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.count(resource) >= count, timeout)

    def break_all(self, how: BreakKind) -> None:
        with self._changed:
            streams, self._streams = self._streams, set()
        for stream in streams:
            stream.order(how)
