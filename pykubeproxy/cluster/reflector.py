"""A thread for each resource that follows its objects in the API server, and passes every change on.

`watch_protocol` decides which request to make, `client` makes it, and `tracker` turns the answers into ObjectChanges.
This module connects the three; `outage` decides when to repeat a request that failed.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator

from pykubeproxy import logger
from pykubeproxy.cluster.api_error import INTERNAL, SHORT_WATCH, ApiError
from pykubeproxy.cluster.client import ApiClient, Lines
from pykubeproxy.cluster.outage import WatchFailures
from pykubeproxy.cluster.resources import Resource
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.cluster.watch_protocol import (
    Command,
    EventLine,
    ListBody,
    ReadOn,
    Reply,
    RequestFailed,
    RequestList,
    StartWatch,
    Uncompressed,
    WatchEnded,
    WatchProtocol,
)

log = logger.get()

# The objects of a list are passed on in batches of about this size, which bounds the memory that they take.
_BATCH = 500
# Seconds that a watch lasts, as client-go chooses them: at random, so that not all nodes come back at once.
_WATCH_SECONDS = (300, 600)
_JOIN_SECONDS = 1.0


class Reflector:
    """Follows one resource from `start` to `stop`.

    `on_change` is called with each change, and `on_listed` with the kind once the first list is complete; both are
    called from the reflector's own thread and should not take long. With `can_stream` False, it never asks for a
    streaming list.
    """

    def __init__(
        self,
        client: ApiClient,
        resource: Resource,
        *,
        on_change: Callable[[ObjectChanges], None],
        on_listed: Callable[[str], None],
        can_stream: bool = True,
    ) -> None:
        self._resource = resource
        self._on_change = on_change
        self._on_listed = on_listed
        self._can_stream = can_stream
        self._session = client.session()
        self._tracker = Tracker(resource)
        self._outage = client.outage
        self._watcher = WatchFailures(resource.group_resource)
        self._lines: deque[bytes] = deque()
        self._stream: Lines | None = None
        self._parts: Generator[tuple[bytes, bool]] | None = None
        self._opened_at = 0.0
        self._is_list_awaited = False
        self._is_list_reported = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow-{resource.plural}", daemon=True)
        self._protocol = self._begin()

    @property
    def error(self) -> str | None:
        """What keeps us from following, in one line; None if nothing is known to. May be read by any thread."""
        error = self._outage.error(self._watcher)
        return None if error is None else str(error)

    @property
    def connecting_for(self) -> float:
        """Seconds since the connection was begun that is being made now; 0 if none is. May be read by any thread."""
        return self._session.connecting_for

    def start(self) -> None:
        """Begin to follow, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End within a second. A connection that is only being made is left to its timeout."""
        self._stopping.set()
        self._session.abort()
        self._outage.wake()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def _begin(self) -> WatchProtocol:
        return WatchProtocol(self._tracker, can_stream=self._can_stream, watch_seconds=_watch_seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            error = self._advance()
            if error is None or self._stopping.is_set():
                continue
            if self._was_stable():
                self._watcher.reset()
                if error.kind == SHORT_WATCH:
                    continue
            self._outage.failed(self._watcher, error)
            self._outage.wait(self._watcher, error, self._stopping)
        self._leave()
        self._session.close()

    def _advance(self) -> ApiError | None:
        """Carry out one command; return the error if the next one should not be carried out at once."""
        try:
            reply = self._carry_out(self._protocol.command)
            self._protocol.take(reply)
        except Exception as error:
            # A bug: if it ended the thread, the node would keep old rules, and nothing would show it.
            log.exception("internal error while following the API server", resource=self._resource.group_resource)
            self._protocol = self._begin()
            return ApiError(f"internal error: {error!r}", kind=INTERNAL)
        command = self._protocol.command
        if not isinstance(command, ReadOn) and command.after is not None:
            return command.after
        if isinstance(reply, WatchEnded) and isinstance(command, StartWatch):
            return ApiError("the API server ends watches as soon as they begin", kind=SHORT_WATCH)
        return None

    def _was_stable(self) -> bool:
        """True if the watch that is over was a good one, so that another may follow at once."""
        was_open = self._stream is not None
        self._leave()
        return was_open and time.monotonic() - self._opened_at >= self._outage.backoff.stable_after

    def _carry_out(self, command: Command) -> Reply:
        """Do what the protocol asks for; blocks until the API server has replied."""
        try:
            match command:
                case RequestList(query=query):
                    self._leave()
                    self._deliver()
                    self._parts = self._session.get_list(self._resource.path, self._resource.selectors | query)
                    return self._next_part(self._parts)
                case StartWatch(query=query, is_list=is_list):
                    self._leave()
                    self._deliver()
                    query = self._resource.selectors | query
                    self._stream = self._session.watch(self._resource.path, query, is_list=is_list)
                    self._opened_at = time.monotonic()
                    self._is_list_awaited = is_list
                    if is_list and not self._stream.is_compressed and not self._resource.is_one_object:
                        return Uncompressed()
            return self._next_line() if self._parts is None else self._next_part(self._parts)
        except ApiError as error:
            return RequestFailed(_explained(error, self._resource))

    def _next_part(self, parts: Generator[tuple[bytes, bool]]) -> Reply:
        self._deliver()
        data, is_last = next(parts)
        if is_last:
            self._leave()
        return ListBody(data, is_last)

    def _next_line(self) -> Reply:
        assert self._stream is not None
        while not self._lines:
            self._note_progress(self._stream)
            self._deliver()
            arrived = self._stream.read()
            if not arrived:
                return WatchEnded()
            self._lines.extend(line for line in arrived if line)
        return EventLine(self._lines.popleft())

    def _note_progress(self, stream: Lines) -> None:
        """All lines so far are taken in: once the list is complete, everything is followed."""
        if self._tracker.is_listing:
            return
        if self._is_list_awaited:
            self._is_list_awaited = False
            stream.use_watch_timeout()
        self._outage.works(self._watcher)

    def _deliver(self) -> None:
        """Pass on the changes that are pending. Called before anything that may block."""
        if self._tracker.is_listing and self._tracker.pending < _BATCH:
            return
        change = self._tracker.take()
        if not change.is_empty:
            self._on_change(change)
        if self._tracker.has_listed and not self._is_list_reported:
            self._is_list_reported = True
            self._on_listed(self._resource.kind)

    def _leave(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._parts is not None:
            self._parts.close()
            self._parts = None
        self._lines.clear()


def _explained(error: ApiError, resource: Resource) -> ApiError:
    """Add what an administrator has to do, where that is known."""
    if not error.is_forbidden:
        return error
    text = f"RBAC has to allow list and watch on {resource.group_resource}: {error}"
    return ApiError(text, kind=error.kind, status=error.status, retry_after=error.retry_after)


def _watch_seconds() -> int:
    return random.randint(*_WATCH_SECONDS)  # noqa: S311  not for secrets
