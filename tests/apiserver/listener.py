"""The listening socket and the connections: accept, TLS, one thread each; refuse, drop and come back.

A listening socket that is shut down refuses connections but keeps its port, and can listen again: nobody else can
take the port while the server is "down".
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable

from tests.apiserver.wire import Ending, close, shut_down

Serve = Callable[[socket.socket, tuple[str, int]], Ending]

_HANDSHAKE_SECONDS = 10.0
_DROP_SECONDS = 5.0


class Listener:
    """Accepts connections at one address and has ``serve`` handle each in a thread of its own.

    ``context`` is what new connections are wrapped with; it may be replaced at any time.
    """

    def __init__(self, host: str, serve: Serve, context: ssl.SSLContext) -> None:
        """Bind to a free port, but do not listen yet. Raises OSError."""
        self.context = context
        self._serve = serve
        with _bound(host, 0) as found:
            self.port = int(found.getsockname()[1])
            # Only a port that was asked for outlives the shutdown of the socket: ask for the one that was found.
            self._socket = _bound(host, self.port)
        self._lock = threading.Lock()
        self._acceptor: threading.Thread | None = None
        self._connections: dict[threading.Thread, socket.socket] = {}

    def open(self) -> None:
        """Listen; does nothing if it does already."""
        with self._lock:
            if self._acceptor is None:
                self._socket.listen(128)
                self._acceptor = threading.Thread(target=self._accept, name="apiserver-accept", daemon=True)
                self._acceptor.start()

    def refuse(self) -> None:
        """Stop listening: connections are refused. Those that exist go on."""
        with self._lock:
            acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None:
            shut_down(self._socket)
            acceptor.join(_DROP_SECONDS)

    def drop_connections(self) -> None:
        """Close every connection, and wait for their threads."""
        deadline = time.monotonic() + _DROP_SECONDS
        while self._connections and time.monotonic() < deadline:
            with self._lock:
                present = dict(self._connections)
            for thread, sock in present.items():
                shut_down(sock)
                thread.join(0.5)

    def close(self) -> None:
        """Close everything, for good."""
        self.refuse()
        self.drop_connections()
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, address = self._socket.accept()
                thread = threading.Thread(target=self._attend, args=(address,), name="apiserver", daemon=True)
                with self._lock:
                    self._connections[thread] = sock
                thread.start()

    def _attend(self, address: tuple[str, int]) -> None:
        me = threading.current_thread()
        ending = Ending.CUT
        # The client may go, or speak no TLS: there is nobody to tell.
        with contextlib.suppress(OSError, ValueError):
            ending = self._serve(self._secured(me), address)
        with self._lock:
            sock = self._connections[me]
        close(sock, ending)
        with self._lock:
            del self._connections[me]

    def _secured(self, me: threading.Thread) -> socket.socket:
        plain = self._connections[me]
        plain.settimeout(_HANDSHAKE_SECONDS)
        secured = self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections[me] = secured
        secured.do_handshake()
        secured.settimeout(None)
        return secured


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock
