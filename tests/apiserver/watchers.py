"""The watches that are connected and up to date."""

from __future__ import annotations

import threading

from tests.apiserver.faults import BreakKind
from tests.apiserver.stream import Stream


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

    def send_bookmarks(self) -> None:
        """Send a bookmark to each that allows it."""
        with self._changed:
            for stream in self._streams:
                stream.order(None)

    def _of(self, resource: str) -> set[Stream]:
        return {stream for stream in self._streams if resource in ("", stream.resource.plural)}
