"""Pods and a client inside one network namespace: real packets through the rules of a node."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Self

from tests.daemon.node import Node

PORT = 8080

# What must be answered may take its time, as the pods share this interpreter; silence is believed sooner.
_ANSWER_SECONDS = 5.0
SILENCE_SECONDS = 1.0


def lay_out(node: Node, *pods: str) -> None:
    """Give the node the addresses of its pods, and a way to where cluster IPs would be."""
    lines = ["link add pods type bridge", "addr add 192.0.2.1/24 dev pods", "link set pods up"]
    node.machine.ip([*lines, "route add 10.96.0.0/12 dev pods", *(f"addr add {pod}/32 dev pods" for pod in pods)])


@contextlib.contextmanager
def answering(node: Node, *pods: str) -> Iterator[None]:
    """Pods that answer every datagram, and every line on a TCP connection, with their address."""
    sockets = [node.inside(lambda pod=pod, kind=kind: _bound(pod, kind)) for pod in pods for kind in _ANSWERERS]  # type: ignore[misc]
    for each in sockets:
        threading.Thread(target=_ANSWERERS[each.type], args=(each,), daemon=True).start()
    try:
        yield
    finally:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class Client:
    """A socket that is kept, connected to a Service."""

    def __init__(self, node: Node, address: str, port: int, kind: socket.SocketKind) -> None:
        self._socket = node.inside(lambda: socket.socket(socket.AF_INET, kind))
        self._socket.settimeout(_ANSWER_SECONDS)
        self._socket.connect((address, port))

    def ask(self, seconds: float = _ANSWER_SECONDS) -> str:
        """Who answers: the address of a pod, `refused`, `reset`, or nobody in time (empty)."""
        self._socket.settimeout(seconds)
        try:
            self._socket.send(b"who?\n")
            return self._socket.recv(100).decode()
        except ConnectionRefusedError:
            return "refused"
        except ConnectionResetError:
            return "reset"
        except OSError:
            return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def connect(node: Node, address: str, port: int = PORT) -> None:
    """Make one TCP connection, and end it."""
    with Client(node, address, port, socket.SOCK_STREAM) as client:
        assert client.ask()


def _bound(pod: str, kind: socket.SocketKind) -> socket.socket:
    its = socket.socket(socket.AF_INET, kind)
    its.bind((pod, PORT))
    if kind is socket.SOCK_STREAM:
        its.listen()
    return its


def _answer_datagrams(its: socket.socket) -> None:
    pod = its.getsockname()[0].encode()
    with contextlib.suppress(OSError):
        while (received := its.recvfrom(100))[1]:
            its.sendto(pod, received[1])


def _answer_connections(its: socket.socket) -> None:
    pod = its.getsockname()[0].encode()
    with contextlib.suppress(OSError):
        while True:
            connection, _ = its.accept()
            threading.Thread(target=_answer_lines, args=(connection, pod), daemon=True).start()


def _answer_lines(connection: socket.socket, pod: bytes) -> None:
    with contextlib.suppress(OSError), connection:
        while connection.recv(100):
            connection.send(pod)


_ANSWERERS = {socket.SOCK_DGRAM: _answer_datagrams, socket.SOCK_STREAM: _answer_connections}
