"""Pods and a client inside one network namespace: real packets through the rules of a node."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from functools import partial
from typing import Self

from tests.daemon.node import Node

PORT = 8080

# An answer may take its time, as the pods share this interpreter.
_ANSWER_SECONDS = 5.0


def lay_out(node: Node, *pods: str) -> None:
    """Give the node the addresses of its pods, and a way to where cluster IPs would be."""
    lines = ["link add pods type bridge", "addr add 192.0.2.1/24 dev pods", "link set pods up"]
    node.machine.ip([*lines, "route add 10.96.0.0/12 dev pods", *(f"addr add {pod}/32 dev pods" for pod in pods)])


class _Lines(socketserver.ThreadingTCPServer):
    daemon_threads = True


class _OnLines(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            for _ in self.rfile:
                self.wfile.write(self.request.getsockname()[0].encode())


class _OnDatagrams(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.socket.getsockname()[0].encode())


@contextlib.contextmanager
def answering(node: Node, *pods: str) -> Iterator[None]:
    """Pods that answer every datagram, and every line on a TCP connection, with their address."""
    servers = [
        node.inside(partial(kind, (pod, PORT), handler))
        for pod in pods
        for kind, handler in ((_Lines, _OnLines), (socketserver.UDPServer, _OnDatagrams))
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


class Client:
    """A socket that is kept, connected to a Service."""

    def __init__(self, node: Node, address: str, port: int, kind: socket.SocketKind) -> None:
        self._socket = node.inside(lambda: socket.socket(socket.AF_INET, kind))
        self._socket.settimeout(_ANSWER_SECONDS)
        self._socket.connect((address, port))

    def ask(self) -> str:
        """Who answers: the address of a pod, or `reset`. Raises OSError, also if nobody does in time."""
        try:
            self._socket.send(b"who?\n")
            return self._socket.recv(100).decode()
        except ConnectionResetError:
            return "reset"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def connect(node: Node, address: str, port: int = PORT) -> None:
    """Make one TCP connection, and end it."""
    with Client(node, address, port, socket.SOCK_STREAM) as client:
        assert client.ask()
