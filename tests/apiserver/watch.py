"""WATCH: which lines a watch sends, in which order, and how it breaks if a test wants it to.

Source: "Efficient detection of changes", "Watch bookmarks" and "Streaming lists" in "API Concepts".
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from typing import Any

import msgspec

from tests.apiserver.errors import ApiError, too_new
from tests.apiserver.faults import Break, BreakKind
from tests.apiserver.objects import Selection
from tests.apiserver.resources import Resource
from tests.apiserver.store import Change, Store, Version
from tests.apiserver.wire import Ending, Wire

_GARBAGE = b'{"type":"MODIFIED","object":\x00\xff this is no JSON\n'
_BEFORE_DEADLINE = 2.0


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a list or watch asks for; ``resource_version`` None means most recent, ``timeout`` is in seconds."""

    selection: Selection
    resource_version: int | None = None
    timeout: int = 0
    bookmarks: bool = False
    send_initial_events: bool = False


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """When things are due, in seconds: regular bookmarks, and the end of a watch that sets no timeout itself."""

    bookmark_interval: float = 60.0
    timeout: float = 3600.0


def selected(selection: Selection, version: Version | None) -> bool:
    """Whether a request is about this version; never if there is none."""
    return version is not None and selection.takes(version.namespace, version.labels, version.fields)


def line(kind: str, obj: Any) -> bytes:
    """Return one line of a watch."""
    return msgspec.json.encode({"type": kind, "object": obj}) + b"\n"


def bookmark(resource: Resource, revision: int, *, ends_initial: bool = False) -> bytes:
    """Return a BOOKMARK line; ``ends_initial`` marks the end of a streaming list."""
    marks = {"annotations": {"k8s.io/initial-events-end": "true"}} if ends_initial else {}
    return line("BOOKMARK", resource.typed | {"metadata": {"resourceVersion": str(revision)} | marks})


class Feed:
    """The lines of one watch. :meth:`start` once, then :meth:`poll` whenever the store may have changed."""

    def __init__(self, store: Store, resource: Resource, options: Options) -> None:
        """Follow ``resource`` as ``options`` asks."""
        self.resource = resource
        self._store = store
        self._options = options
        self._after = 0

    def start(self, patience: float) -> list[bytes]:
        """Return the lines that come first: the initial state, if it was asked for, and the bookmark that ends it.

        Waits up to ``patience`` seconds for a revision in the future. Raises a 410 or 504.
        """
        options = self._options
        wanted = options.resource_version
        if options.send_initial_events and wanted:
            wait_until_fresh(self._store, wanted, patience)
        if not options.send_initial_events and wanted:
            self._after = wanted
            self._store.changes(self.resource.plural, wanted)
            return []
        snapshot = self._store.snapshot(self.resource.plural)
        self._after = snapshot.revision
        lines = [self._line("ADDED", each) for each in snapshot.versions if selected(options.selection, each)]
        if options.send_initial_events and options.bookmarks:
            lines.append(bookmark(self.resource, snapshot.revision, ends_initial=True))
        return lines

    def poll(self, until: int) -> list[bytes]:
        """Return the lines for what has happened since the last call, up to the revision ``until``.

        Raises a 410 if some of that is lost.
        """
        lines = []
        for change in self._store.changes(self.resource.plural, self._after, following=True):
            if change.revision > until:
                break
            self._after = change.revision
            lines += self._lines_of(change)
        return lines

    def bookmark(self, revision: int) -> list[bytes]:
        """Return a bookmark at a revision up to which everything has been sent; nothing if the client wants none."""
        if not self._options.bookmarks:
            return []
        self._after = max(self._after, revision)
        return [bookmark(self.resource, self._after)]

    def example(self) -> bytes:
        """Return some plausible line, for faults that need one to break."""
        snapshot = self._store.snapshot(self.resource.plural)
        if snapshot.versions:
            return self._line("MODIFIED", snapshot.versions[-1])
        return bookmark(self.resource, snapshot.revision)

    def _lines_of(self, change: Change) -> list[bytes]:
        """What a watcher sees of a change: an object that starts to match is ADDED, one that stops is DELETED.

        The latter has its last matching content, and the resourceVersion of the change.
        """
        is_in = selected(self._options.selection, change.current)
        was_in = selected(self._options.selection, change.previous)
        if is_in and change.current is not None:
            return [self._line("MODIFIED" if was_in else "ADDED", change.current)]
        return [self._line("DELETED", change.previous.at(change.revision))] if was_in and change.previous else []

    def _line(self, kind: str, version: Version) -> bytes:
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), whole(self.resource, version))


def whole(resource: Resource, version: Version) -> bytes:
    """Return an object as JSON with kind and apiVersion, which the items of lists lack."""
    return msgspec.json.encode(resource.typed)[:-1] + b"," + version.body[1:]


def wait_until_fresh(store: Store, revision: int, patience: float) -> None:
    """Wait for ``revision``; raises a 504 if the store does not reach it in time."""
    if not store.wait_for(revision, patience):
        raise too_new(revision, store.revision)


class Over(Exception):
    """The watch has ended."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.name)
        self.ending = ending


class Stream:
    """A watch on a connection. :meth:`run` is for the connection's thread, :meth:`order` for any other."""

    def __init__(self, feed: Feed, store: Store, wire: Wire, timeout: int, pace: Pace) -> None:
        self.resource = feed.resource
        self._feed = feed
        self._store = store
        self._wire = wire
        self._pace = pace
        now = time.monotonic()
        self._deadline = now + (timeout or pace.timeout)
        self._next_bookmark = self._bookmark_time(now)
        self._sent = 0
        self._armed: Break | None = None
        self._orders: deque[tuple[BreakKind | None, int]] = deque()
        self._lock = threading.Lock()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)

    def order(self, how: BreakKind | None) -> None:
        """Break the watch, or (None) send a bookmark, after what has happened so far and before what comes."""
        with self._store.lock:
            self._orders.append((how, self._store.revision))
        self.wake()

    def wake(self) -> None:
        """Make :meth:`run` look for new lines and orders."""
        with self._lock:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def close(self) -> None:
        """Free what the stream holds."""
        with self._lock:
            os.close(self._bell)
            self._bell = -1

    def begin(self, lines: list[bytes], armed: Break | None) -> None:
        """Send the first lines. ``armed`` is the break that this watch is to suffer. Raises Over."""
        self._armed = armed
        self._send(lines)

    def run(self) -> Ending:
        """Send what happens in the store until the watch ends. Raises OSError if the client goes while sending."""
        self._store.subscribe(self.resource.plural, self.wake)
        try:
            while True:
                self._turn()
        except Over as over:
            return over.ending
        finally:
            self._store.unsubscribe(self.resource.plural, self.wake)

    def _turn(self) -> None:
        with self._store.lock:
            order = self._orders.popleft() if self._orders else None
            until = order[1] if order else self._store.revision
        try:
            self._send(self._feed.poll(until))
        except ApiError as error:
            self._say_last(line("ERROR", error.status()))
        if order is not None:
            if order[0] is not None:
                self._suffer(order[0])
            self._send(self._feed.bookmark(until))
            return
        self._wait(min(self._deadline, self._next_bookmark))
        now = time.monotonic()
        if now >= self._deadline:
            self._say_last(b"")
        if now >= self._next_bookmark:
            self._next_bookmark = self._bookmark_time(now)
            self.order(None)

    def _wait(self, until: float) -> None:
        poll = select.poll()
        poll.register(self._wire.sock, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        ready = {fd for fd, _ in poll.poll(max(0.0, until - time.monotonic()) * 1000)}
        if self._bell in ready:
            os.eventfd_read(self._bell)
        if ready - {self._bell} and self._wire.client_is_gone():
            raise Over(Ending.CUT)

    def _send(self, lines: list[bytes]) -> None:
        if self._armed is not None and self._sent + len(lines) >= self._armed.after:
            self._wire.send_chunks(b"".join(lines[: self._armed.after - self._sent]))
            self._suffer(self._armed.how)
        if lines:
            self._wire.send_chunks(b"".join(lines))
            self._sent += len(lines)

    def _suffer(self, how: BreakKind) -> None:
        """Break in this way. Raises Over in the end."""
        example = self._feed.example()
        gone = ApiError(410, "Expired", "The resourceVersion for the provided watch is too old.")
        internal = ApiError(500, "InternalError", "Internal error occurred: etcdserver: leader changed")
        last = {
            "end": b"",
            "garbage": _GARBAGE,
            "truncate": example[: len(example) // 2],
            "expired": line("ERROR", gone.status()),
            "error": line("ERROR", internal.status()),
        }
        if how in last:
            self._say_last(last[how])
        if how == "half-open":
            self._wire.wait_for_client_to_go()
        raise Over(Ending.RESET if how == "reset" else Ending.CUT)

    def _say_last(self, text: bytes) -> None:
        self._wire.send_chunks(text)
        self._wire.end_chunks()
        raise Over(Ending.KEEP)

    def _bookmark_time(self, now: float) -> float:
        regular = now + self._pace.bookmark_interval
        last = self._deadline - _BEFORE_DEADLINE
        return min(regular, last) if last > now else max(regular, self._deadline)


class Watchers:
    """The set of streams that have sent their initial state and have not been broken. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._streams: set[Stream] = set()

    def add(self, stream: Stream) -> None:
        """A stream is up to date."""
        with self._changed:
            self._streams.add(stream)
            self._changed.notify_all()

    def discard(self, stream: Stream) -> None:
        """A stream has ended."""
        with self._changed:
            self._streams.discard(stream)
            self._changed.notify_all()

    def count(self, resource: str = "") -> int:
        """Return how many there are of a resource (plural name); empty: of all."""
        with self._changed:
            return len(self._of(resource))

    def wait(self, count: int, resource: str = "", *, timeout: float = 10.0) -> bool:
        """Wait until there are at least ``count``, or none if it is 0; False if not within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: len(self._of(resource)) >= count if count else not self._of(resource), timeout
            )

    def break_all(self, how: BreakKind, resource: str = "") -> int:
        """Break them, and return how many they were. They count as gone at once."""
        with self._changed:
            streams = self._of(resource)
            self._streams -= streams
            self._changed.notify_all()
        for stream in streams:
            stream.order(how)
        return len(streams)

    def _of(self, resource: str) -> set[Stream]:
        return {stream for stream in self._streams if resource in ("", stream.resource.plural)}
