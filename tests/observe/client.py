"""A client for the servers under test, polite or not, a clock for them, and waiting for what takes a moment."""

import http.client
import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pykubeproxy.observe.clock import Timestamp
from pykubeproxy.web.connection import ClientLimits
from pykubeproxy.web.messages import Handler
from pykubeproxy.web.server import ConnectionLimits, Listener, WebThread

SECONDS = 10.0
START = 1795350868_000000000
_candidates = itertools.count(20_000 + os.getpid() * 7 % 9_000)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


def ask(
    port: int, path: str = "/", *, host: str = "127.0.0.1", method: str = "GET", headers: dict[str, str] | None = None
) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


@contextmanager
def dialled(port: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A connection to do with as one likes."""
    with socket.create_connection((host, port), timeout=SECONDS) as sock:
        yield sock


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server closes; what it sent before a reset counts too."""
    received = b""
    while True:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            return received
        if not data:
            return received
        received += data


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    try:
        with socket.create_connection((host, port), timeout=SECONDS):
            return True
    except ConnectionError:
        return False


def free_port() -> int:
    """A port that nobody listens on, outside the range that outgoing connections take theirs from."""
    for port in _candidates:
        with socket.socket(socket.AF_INET6) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            try:
                sock.bind(("::", port))
            except OSError:
                continue
            return port
    raise AssertionError("there is no free port")


@contextmanager
def running(
    limits: ClientLimits | None = None, connection_limits: ConnectionLimits | None = None
) -> Iterator[WebThread]:
    """A web thread that serves nothing yet."""
    web = WebThread(limits, connection_limits)
    web.start()
    try:
        yield web
    finally:
        web.stop()


def listening(web: WebThread, handler: Handler) -> Listener:
    """A listener of that thread which answers with `handler`."""
    listener = Listener(socket.create_server(("127.0.0.1", 0), backlog=128), handler)
    listener.sock.setblocking(False)
    web.call(lambda: web.add(listener))
    return listener


@contextmanager
def served(
    handler: Handler, *, limits: ClientLimits | None = None, connection_limits: ConnectionLimits | None = None
) -> Iterator[int]:
    """The port of a web thread that answers with `handler`."""
    with running(limits, connection_limits) as web:
        yield listening(web, handler).port


def descriptors() -> set[str]:
    """What this process has open. Later it may be less, as an earlier test may have left something to be closed."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        # The folder's own descriptor is gone by now.
        with suppress(FileNotFoundError):
            found.add(f"{link.name} {link.readlink()}")
    return found


class Ticking:
    """Starts at 2026-11-22T12:34:28Z, and at 1000 on the other clock."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> Timestamp:
        return Timestamp(START + round(self.seconds * 10**9), 1000.0 + self.seconds)
