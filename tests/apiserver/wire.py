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


class Ending(enum.Enum):
    """What becomes of a connection after an answer: used again, closed without a word, or reset."""

    KEEP = enum.auto()
    CUT = enum.auto()
    RESET = enum.auto()


class Wire:
    """The sending half of a connection, and what the receiving half says while a watch runs."""

    def __init__(self, sock: socket.socket, faults: Faults, stopping: threading.Event) -> None:
        self.sock = sock
        self.stopping = stopping
        self._faults = faults
        self._compressor: Compressor | None = None

    def compress_chunks(self, *, on: bool) -> None:
        """Compress the chunked body that follows (RFC 1952), so that each part can be read as it comes; or do not."""
        self._compressor = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS) if on else None

    def send(self, data: bytes) -> None:
        size, interval = self._faults.trickling or (len(data), 0.0)
        for start in range(0, len(data), size or 1):
            self.sock.sendall(data[start : start + size])
            if interval and self.stopping.wait(interval):
                raise ConnectionAbortedError("the server stops")

    def send_chunk(self, data: bytes) -> None:
        """Send some of a chunked body (RFC 9112 section 7.1)."""
        if self._compressor is not None and data:
            data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        self.send(b"%x\r\n%s\r\n" % (len(data), data) if data else b"")

    def end_chunks(self) -> None:
        rest = self._compressor.flush() if self._compressor is not None else b""
        self.send((b"%x\r\n%s\r\n" % (len(rest), rest) if rest else b"") + b"0\r\n\r\n")

    def wait_for_client_to_go(self) -> None:
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


def close(sock: socket.socket, ending: Ending) -> None:
    """Close a connection; in good order, TLS says goodbye without waiting for the client's."""
    with contextlib.suppress(OSError, ValueError):
        if ending is Ending.RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif ending is Ending.KEEP and isinstance(sock, ssl.SSLSocket):
            sock.setblocking(False)
            sock.unwrap()
    sock.close()


def shut_down(sock: socket.socket) -> None:
    """End a connection that another thread may be using; that thread's calls fail from now on."""
    with contextlib.suppress(OSError):
        # Not the method of SSLSocket: it drops the TLS state first, and the other thread could send plain text.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
