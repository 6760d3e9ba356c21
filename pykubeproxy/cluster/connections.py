"""Connections to the API server: how a dead peer is noticed, and how a blocked read is ended from another thread."""

import contextlib
import socket
import threading
import time
import weakref
from typing import Any

import urllib3

# A peer whose machine or network is gone answers no probe, and is noticed within 20 + 4 * 10 s. The user timeout says
# the same for data that is not acknowledged (RFC 5482), where the kernel would go on for a quarter of an hour. Probes
# also keep the entry of an idle connection in NAT tables and load balancers on the way.
SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000),
)


class Sockets:
    """The open sockets of a session. `abort` ends whatever blocks on one of them, now and from then on."""

    def __init__(self) -> None:
        self.aborted = threading.Event()
        self.connecting_since: float | None = None
        """When the connection was begun that is being made now, by the monotonic clock; None if none is."""
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def add(self, sock: socket.socket) -> None:
        """Take note of a new socket."""
        with self._lock:
            self._open.add(sock)
            if self.aborted.is_set():
                _shut_down(sock)

    def set_timeout(self, seconds: float) -> None:
        """Have reads from now on wait for so long."""
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.settimeout(seconds)

    def abort(self) -> None:
        """Make all reads end at once."""
        with self._lock:
            self.aborted.set()
            for sock in self._open:
                _shut_down(sock)


def register_sockets(manager: urllib3.PoolManager, sockets: Sockets) -> None:
    """Have the socket of every connection that `manager` makes from now on added to `sockets`.

    A response object has its socket only when its head has arrived, and a server may be silent before that.
    """
    pools: dict[str, Any] = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {
        scheme: type(pool.__name__, (pool,), {"ConnectionCls": _registering(pool.ConnectionCls, sockets)})
        for scheme, pool in pools.items()
    }


def _registering(connection: type[Any], sockets: Sockets) -> type[Any]:
    """A connection class that tells `sockets` when it begins to connect, and adds its socket once it has done so."""

    def connect(self: Any) -> None:
        sockets.connecting_since = time.monotonic()
        try:
            connection.connect(self)
        finally:
            sockets.connecting_since = None
        # TLS inside of TLS, to a proxy, is not a socket but has one.
        sockets.add(getattr(self.sock, "socket", self.sock))

    return type(connection.__name__, (connection,), {"connect": connect})


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Not SSLSocket's own method: that drops the TLS state under the thread that is reading.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
