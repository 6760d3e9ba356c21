"""The thread that serves all HTTP: it accepts connections, and reads and writes those that are ready.

Any machine that reaches the node may be a client, so the number of connections is limited, for each listener and for
all together. At the limit, a new connection replaces the one that has been idle for longest: clients that send a
request at once are always served, and clients that only hold connections open replace each other.
"""

import heapq
import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue
from typing import TypeVar

import msgspec

from pykubeproxy import logger
from pykubeproxy.web.connection import ClientLimits, Connection, HttpState
from pykubeproxy.web.messages import Handler

log = logger.get()

_T = TypeVar("_T")

# Seconds that `stop` waits for the thread. If it is busy for longer, it ends with the process.
_JOIN_SECONDS = 1.0

# Seconds between two checks that the thread still runs, while the result of a call is waited for.
_CHECK_SECONDS = 0.5

# Seconds without accepting when file descriptors have run out: until then, accept would fail again at once.
_RECOVERY = 1.0


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections may be open, to one listener and in all."""

    per_listener: int = 64
    total: int = 256


class Listener:
    """A listening socket and who answers there. The thread that it is added to closes it."""

    def __init__(self, sock: socket.socket, handler: Handler) -> None:
        self.sock = sock
        self.handler = handler
        self.port: int = sock.getsockname()[1]


class WebThread:
    """Runs until stopped.

    `start`, `stop`, `call` and `post` are for the one other thread that it belongs to; everything else goes through the
    latter two.
    """

    def __init__(self, limits: ClientLimits | None = None, connection_limits: ConnectionLimits | None = None) -> None:
        self._limits = limits or ClientLimits()
        self._connection_limits = connection_limits or ConnectionLimits()
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        for end in (self._waker, self._woken):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._wake_up)
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_numbers = count()
        self._listeners: set[Listener] = set()
        # In the order in which they were accepted or last answered: the first has waited longest.
        self._connections: dict[Connection, Listener] = {}
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """Close everything and end the thread; answers that are on their way are cut off."""
        if not self._thread.ident:
            self._close_everything()
        elif self._thread.is_alive():
            self.post(self._request_stop)
            self._thread.join(_JOIN_SECONDS)

    def post(self, action: Callable[[], None]) -> None:
        """Have the thread run `action` soon, without waiting for that."""
        self._calls.put(action)
        # If the buffer is full, the thread will wake up anyway. If the socket is closed, the thread has ended.
        with suppress(OSError):
            self._waker.send(b"!")

    def call(self, action: Callable[[], _T]) -> _T:
        """Have the thread run `action`; return what it returns, raise what it raises. RuntimeError if it has ended."""
        result: Future[_T] = Future()
        self.post(partial(_fulfil, result, action))
        while self._thread.is_alive() and not result.done():
            wait([result], timeout=_CHECK_SECONDS)
        if not result.done():
            raise RuntimeError("the web thread is not running")
        return result.result()

    def add(self, listener: Listener) -> None:
        """Serve a listener."""
        self._listeners.add(listener)
        self._selector.register(listener.sock, selectors.EVENT_READ, partial(self._accept, listener))

    def remove(self, listener: Listener) -> None:
        """Close a listener and its connections."""
        self._listeners.discard(listener)
        if listener.sock in self._selector.get_map():
            self._selector.unregister(listener.sock)
        listener.sock.close()
        for connection in [connection for connection, its in self._connections.items() if its is listener]:
            self._drop(connection)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` after some time, once."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._timer_numbers), action))

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                for key, _ in self._selector.select(self._time_to_wait()):
                    # An earlier event may have closed this socket, and its descriptor may be in use again.
                    if self._selector.get_map().get(key.fd) is key:
                        _guard(key.data)
                _guard(self._expire)
        finally:
            self._close_everything()

    def _request_stop(self) -> None:
        self._is_stopping = True

    def _time_to_wait(self) -> float | None:
        """Seconds until something is due; None if nothing ever is."""
        deadlines = [connection.deadline for connection in self._connections]
        deadlines += [due for due, _, _ in self._timers[:1]]
        return max(min(deadlines) - time.monotonic(), 0) if deadlines else None

    def _wake_up(self) -> None:
        self._woken.recv(4096)
        while True:
            try:
                call = self._calls.get_nowait()
            except Empty:
                return
            _guard(call)

    def _expire(self) -> None:
        now = time.monotonic()
        for connection in [connection for connection in self._connections if connection.deadline <= now]:
            self._drop(connection)
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def _accept(self, listener: Listener) -> None:
        """Accept one connection. More may be waiting, but those that are open get their turn in between."""
        try:
            sock, _ = listener.sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            self._pause(listener, error)
            return
        self._enforce_limits(listener)
        connection = Connection(sock, listener.handler, self._limits, time.monotonic())
        self._connections[connection] = listener
        self._selector.register(sock, selectors.EVENT_READ, partial(self._advance, connection))

    def _pause(self, listener: Listener, error: OSError) -> None:
        log.error("cannot accept connections", port=listener.port, error=str(error), again_in_seconds=_RECOVERY)
        self._selector.unregister(listener.sock)
        self.later(_RECOVERY, partial(self._resume, listener))

    def _resume(self, listener: Listener) -> None:
        if listener in self._listeners:
            self.add(listener)

    def _enforce_limits(self, listener: Listener) -> None:
        """If one more connection is too many, drop the one that has been idle for longest, here or at any listener."""
        to_same = [connection for connection, its in self._connections.items() if its is listener]
        if len(to_same) >= self._connection_limits.per_listener:
            self._drop(to_same[0])
        elif len(self._connections) >= self._connection_limits.total:
            self._drop(next(iter(self._connections)))

    def _advance(self, connection: Connection) -> None:
        before = connection.wants_to_send
        connection.advance(time.monotonic())
        if connection.state is HttpState.CLOSED:
            self._drop(connection)
            return
        if connection.state is HttpState.IDLE:
            self._connections[connection] = self._connections.pop(connection)
        if connection.wants_to_send != before:
            event = selectors.EVENT_WRITE if connection.wants_to_send else selectors.EVENT_READ
            self._selector.modify(connection.sock, event, partial(self._advance, connection))

    def _drop(self, connection: Connection) -> None:
        del self._connections[connection]
        # The selector knows a socket by its object, even after it was closed.
        self._selector.unregister(connection.sock)
        connection.close()

    def _close_everything(self) -> None:
        for sock in (*(listener.sock for listener in self._listeners), *(one.sock for one in self._connections)):
            sock.close()
        self._listeners.clear()
        self._connections.clear()
        self._selector.close()
        self._woken.close()
        self._waker.close()


def _guard(action: Callable[[], None]) -> None:
    """Run an action; an unexpected error in serving one client is logged, and does not end the thread."""
    try:
        action()
    except Exception:
        log.exception("the web thread failed at something, and goes on")


def _fulfil(result: "Future[_T]", action: Callable[[], _T]) -> None:
    try:
        value = action()
    except Exception as error:  # noqa: BLE001  it is raised where the result is awaited
        result.set_exception(error)
    else:
        result.set_result(value)
