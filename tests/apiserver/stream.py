"""One connected watch: it sends the lines of a feed until time is up, the client goes, or it is ordered to break."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque

import msgspec

from tests.apiserver import errors, presentation
from tests.apiserver.errors import ApiError
from tests.apiserver.faults import Break, BreakKind
from tests.apiserver.options import ListOptions
from tests.apiserver.store import Store
from tests.apiserver.watch import Feed
from tests.apiserver.wire import Ending, Wire

_DEFAULT_TIMEOUT = 3600.0
_GARBAGE = b'{"type":"MODIFIED","object":\x00\xff this is no JSON\n'
_BEFORE_DEADLINE = 2.0


class Over(Exception):
    """The watch has ended."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.name)
        self.ending = ending


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch is told to do once it has sent everything up to ``revision``: break, or (None) send a bookmark."""

    how: BreakKind | None
    revision: int


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """When things are due, in seconds: regular bookmarks, and the end of a watch that sets no timeout itself."""

    bookmark_interval: float = 60.0
    timeout: float = _DEFAULT_TIMEOUT


class Stream:
    """A watch on a connection. :meth:`run` is for the connection's thread, :meth:`order` for any other."""

    def __init__(self, feed: Feed, store: Store, wire: Wire, options: ListOptions, pace: Pace) -> None:
        self.resource = feed.resource
        self._feed = feed
        self._store = store
        self._wire = wire
        self._pace = pace
        now = time.monotonic()
        self._deadline = now + (options.timeout or pace.timeout)
        self._next_bookmark = self._bookmark_time(now)
        self._sent = 0
        self._armed: Break | None = None
        self._orders: deque[Order] = deque()
        self._lock = threading.Lock()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)

    def order(self, how: BreakKind | None) -> None:
        """Break the watch, or (None) send a bookmark, after what has happened so far and before what comes."""
        with self._store.lock:
            self._orders.append(Order(how=how, revision=self._store.revision))
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
        self._store.subscribe(self.resource.storage, self.wake)
        try:
            while True:
                self._turn()
        except Over as over:
            return over.ending
        finally:
            self._store.unsubscribe(self.resource.storage, self.wake)

    def _turn(self) -> None:
        with self._store.lock:
            order = self._orders.popleft() if self._orders else None
            until = order.revision if order else self._store.revision
        try:
            self._send(self._feed.poll(until))
        except ApiError as error:
            self._say_last(presentation.error_event(error))
        if order is not None:
            self._obey(order)
            return
        self._wait(min(self._deadline, self._next_bookmark))
        now = time.monotonic()
        if now >= self._deadline:
            self._say_last(b"")
        if now >= self._next_bookmark:
            self._next_bookmark = self._bookmark_time(now)
            self.order(None)

    def _obey(self, order: Order) -> None:
        if order.how is not None:
            self._suffer(order.how)
        line = self._feed.bookmark(order.revision)
        if line is not None:
            self._send([line])

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
        match how:
            case "end":
                self._say_last(b"")
            case "garbage":
                self._say_last(_GARBAGE)
            case "truncate":
                line = self._feed.example()
                self._say_last(line[: len(line) // 2])
            case "expired":
                gone = errors.expired("The resourceVersion for the provided watch is too old.")
                self._say_last(presentation.error_event(gone))
            case "error":
                internal = ApiError(500, "InternalError", "Internal error occurred: etcdserver: leader changed")
                self._say_last(presentation.error_event(internal))
            case "reset":
                raise Over(Ending.RESET)
            case "half-open":
                self._wire.wait_for_client_to_go()
        raise Over(Ending.CUT)

    def _say_last(self, line: bytes) -> None:
        self._wire.send_chunks(line)
        self._wire.end_chunks()
        raise Over(Ending.KEEP)

    def _bookmark_time(self, now: float) -> float:
        regular = now + self._pace.bookmark_interval
        last = self._deadline - _BEFORE_DEADLINE
        return min(regular, last) if last > now else max(regular, self._deadline)
