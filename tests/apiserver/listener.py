"""The listening socket and the connections: accept, TLS, one thread each; refuse, drop and come back.

A listening socket that is shut down refuses connections but keeps its port, and can listen again: nobody else can
take the port while the server is "down".
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from tests.apiserver.wire import Ending, close, shut_down

Serve = Callable[[socket.socket, Any], Ending]

_DROP_SECONDS = 5.0


class Listener(ThreadingTCPServer):
    """Accepts connections at one address and has ``serve`` handle each in a thread of its own.

    ``context`` is what new connections are wrapped with; it may be replaced at any time.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, serve: Serve, context: ssl.SSLContext) -> None:
        """Bind to a free port, but do not listen yet. Raises OSError."""
        self.context = context
        self._serve = serve
        self._acceptor: threading.Thread | None = None
        self._connections: set[socket.socket] = set()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(self.address_family) as found:
            found.bind((host, 0))
            self.port = int(found.getsockname()[1])
        # Only a port that was asked for outlives the shutdown of the socket: ask for the one that was found.
        super().__init__((host, self.port), BaseRequestHandler, bind_and_activate=False)
        self.server_bind()

    def open(self) -> None:
        if self._acceptor is None:
            self.server_activate()
            self._acceptor = threading.Thread(target=self.serve_forever, args=(0.02,), name="apiserver", daemon=True)
            self._acceptor.start()

    def refuse(self) -> None:
        if self._acceptor is not None:
            self.shutdown()
            self._acceptor = None
            shut_down(self.socket)

    def drop_connections(self) -> None:
        deadline = time.monotonic() + _DROP_SECONDS
        while self._connections and time.monotonic() < deadline:
            for sock in tuple(self._connections):
                shut_down(sock)
            time.sleep(0.005)

    def close(self) -> None:
        self.refuse()
        self.drop_connections()
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the handshake is left to its own thread."""
        plain, address = super().get_request()
        secured = self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._connections.add(secured)
        return secured, address

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end. The client may go, or speak no TLS: there is nobody to tell."""
        ending = Ending.CUT
        with contextlib.suppress(OSError, ValueError):
            request.do_handshake()
            ending = self._serve(request, client_address)
        close(request, ending)
        self._connections.discard(request)
