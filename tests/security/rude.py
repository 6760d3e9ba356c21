"""HTTP clients that mean no good, from within a node's network."""

import contextlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.daemon.node import Node

HELD = 200
"""Connections that are held open at the same time, to each port."""

_ASKING = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
_SIEGE = Path(__file__).with_name("siege.py")
_SECONDS = 15.0

RUDE: dict[str, bytes] = {
    "nothing": b"",
    "garbage": bytes(range(256)) * 64,
    "zeros": b"\0" * 100_000,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x7f" * 500,
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http0.9": b"GET /healthz\r\n\r\n",
    "huge-request-line": b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\n\r\n",
    "huge-header": b"GET / HTTP/1.1\r\nHost: " + b"y" * 2_000_000 + b"\r\n\r\n",
    "many-headers": b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000 + b"\r\n",
    "empty-lines": b"\r\n" * 100_000,
    "huge-body": b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n" + b"z" * 2_000_000,
    "endless-chunks": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nz\r\n" * 100_000,
    "pipelined": _ASKING * 1000,
    "two-lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "many-ranges": b"GET /flagz HTTP/1.1\r\nHost: x\r\nAccept: " + b"a/b;q=0.1," * 1500 + b"\r\n\r\n",
    "many-parameters": b"GET /healthz?" + b"a&" * 7000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "escapes": b"GET /%0a%0d%1b[2J%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
}


def say(node: Node, port: int, data: bytes) -> bytes:
    """Send all that the server takes, and return what it says until it closes the connection."""
    return node.inside(lambda: _say(port, data))


def break_off(node: Node, port: int, times: int) -> None:
    """Ask, and be gone with a reset before the answer has been read."""

    def ask() -> None:
        for _ in range(times):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                sock.sendall(_ASKING)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    node.inside(ask)


@contextmanager
def besieged(node: Node, ports: Sequence[int]) -> Iterator[None]:
    """During the block, hundreds of clients each send a byte at a time; those that are thrown out come back at once."""
    siege = node.machine.popen([sys.executable, "-IS", str(_SIEGE), str(HELD), *map(str, ports)])
    try:
        yield
        assert siege.poll() is None, "the siege has lasted until the end"
    finally:
        siege.communicate(timeout=_SECONDS)


def _say(port: int, data: bytes) -> bytes:
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as sock, contextlib.suppress(ConnectionError):
        sender = threading.Thread(target=_send, args=(sock, data))
        sender.start()
        try:
            deadline = time.monotonic() + _SECONDS
            while time.monotonic() < deadline and (piece := sock.recv(65536)):
                received += piece
        finally:
            sender.join()
    return received


def _send(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
