"""Bytes to one client: plain and chunked bodies, slowly if so ordered, and the ways in which a connection can end."""

from __future__ import annotations

import contextlib
import enum
import select
import socket
import ssl
import struct
import threading
import zlib
from typing import TYPE_CHECKING

from tests.apiserver.faults import Faults

if TYPE_CHECKING:
    from zlib import _Compress as Compressor

_CHUNK = 64 * 1024


class Ending(enum.Enum):
    """What becomes of a connection after an answer: used again, closed without a word, or reset."""

    KEEP = enum.auto()
    CUT = enum.auto()
    RESET = enum.auto()


class Wire:
    """The sending half of a connection, and what the receiving half says while a watch runs."""

    def __init__(self, sock: socket.socket, faults: Faults, stopping: threading.Event) -> None:
        self.sock = sock
        self._faults = faults
        self._stopping = stopping
        self._compressor: Compressor | None = None

    def compress_chunks(self, *, on: bool) -> None:
        """Compress the chunked body that follows (RFC 1952), so that each part can be read as it comes; or do not."""
        self._compressor = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS) if on else None

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError if the client is gone."""
        trickle = self._faults.trickling
        if trickle is None:
            self.sock.sendall(data)
            return
        for start in range(0, len(data), trickle.size):
            self.sock.sendall(data[start : start + trickle.size])
            if self._stopping.wait(trickle.interval):
                raise ConnectionAbortedError("the server stops")

    def send_chunks(self, data: bytes) -> None:
        """Send some of a chunked body (RFC 9112 section 7.1)."""
        if self._compressor is not None and data:
            data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        self._send_chunks(data)

    def _send_chunks(self, data: bytes) -> None:
        if len(data) <= _CHUNK:
            self.send(b"%x\r\n%s\r\n" % (len(data), data) if data else b"")
            return
        parts = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
        self.send(b"".join([b"%x\r\n%s\r\n" % (len(part), part) for part in parts]))

    def end_chunks(self) -> None:
        """End a chunked body in good order."""
        if self._compressor is not None:
            self._send_chunks(self._compressor.flush())
        self.send(b"0\r\n\r\n")

    def wait_for_client_to_go(self) -> None:
        """Say nothing until the client has closed the connection."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        while not self.client_is_gone():
            poll.poll()

    def client_is_gone(self) -> bool:
        """Whether the client has closed the connection; data that it sends is read and ignored. Does not wait."""
        self.sock.setblocking(False)
        try:
            return not self.sock.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        finally:
            with contextlib.suppress(OSError):
                self.sock.setblocking(True)

    def reset_on_close(self) -> None:
        """Make the coming close a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def shut_down(sock: socket.socket) -> None:
    """End a connection that another thread may be using; that thread's calls fail from now on."""
    with contextlib.suppress(OSError):
        # Not the method of SSLSocket: it drops the TLS state first, and the other thread could send plain text.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def say_goodbye(sock: socket.socket) -> None:
    """Send TLS's close_notify if there is TLS, without waiting for the client's."""
    if isinstance(sock, ssl.SSLSocket):
        with contextlib.suppress(OSError, ValueError):
            sock.setblocking(False)
            sock.unwrap()
