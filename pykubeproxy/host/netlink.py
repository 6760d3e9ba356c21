"""Netlink: how the kernel is asked about routes, connections and nftables, and how it announces changes.

A message is a header, a fixed part that depends on its type, and attributes (type, length, value) that may nest;
lengths include the headers, and everything is padded to four bytes. Source: netlink(7), RFC 3549, and
https://docs.kernel.org/userspace-api/netlink/intro.html. A socket belongs to the network namespace of the thread that
opened it.
"""

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from pykubeproxy.host.errors import HostError

# Protocols (`linux/netlink.h`).
ROUTE = 0
NETFILTER = 12

# Flags of a request.
REQUEST = 0x01
ACK = 0x04
DUMP = 0x300

# The kernel's flag on the messages of a dump that may be incomplete, because what is dumped changed meanwhile.
_DUMP_INTERRUPTED = 0x10

_ERROR = 2
_DONE = 3

# Around the requests of one transaction (`linux/netfilter/nfnetlink.h`).
_TRANSACTION_BEGIN = 0x10
_TRANSACTION_END = 0x11

# Options of a socket (`linux/netlink.h`, `asm-generic/socket.h`).
_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_CAP_ACK = 10
_ATTACH_FILTER = 26

_NESTED = 0x8000
_TYPE_MASK = 0x3FFF

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")

# More than the kernel puts into one datagram.
_RECEIVE_BYTES = 65536

# A table that keeps changing may interrupt every dump: after so many, the result of the last one is used.
DUMP_ATTEMPTS = 5

# The answers to one batch have to fit into the socket's buffer, which holds some 200 of them by default.
_BATCH = 128


class NetlinkError(HostError):
    """The kernel refused a request: what was asked, and its error number."""

    def __init__(self, what: str, number: int | None) -> None:
        self.number = number or 0
        self.needs_root = number in (errno.EPERM, errno.EACCES)
        advice = "run as root, or with CAP_NET_ADMIN" if self.needs_root else ""
        super().__init__(f"cannot {what}: {os.strerror(self.number)} (netlink)", advice)


class BufferOverrun(NetlinkError):
    """The kernel has dropped messages, since the socket's buffer was full."""


class DumpInterrupted(NetlinkError):
    """What was dumped changed meanwhile: some of it may be missing, or have been seen twice."""


class NetlinkMessage(NamedTuple):
    """One message of the kernel: its header's fields, and what follows the header.

    `port` is the address of the socket whose request caused it; by default that is the pid of its process.
    """

    kind: int
    flags: int
    sequence: int
    port: int
    body: bytes


class RefusedRequest(NamedTuple):
    """A request of a batch that the kernel refused: its position, counted from 0, and the error number."""

    position: int
    number: int


class Netlink:
    """A netlink socket, optionally a member of multicast groups. For one thread at a time. Raises NetlinkError."""

    def __init__(self, protocol: int, groups: Iterable[int] = ()) -> None:
        self._sequence = 0
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
            try:
                self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
                self._socket.bind((0, 0))
                for group in groups:
                    self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
            except OSError:
                self._socket.close()
                raise
        except OSError as error:
            raise NetlinkError("open a socket", error.errno) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def fileno(self) -> int:
        """The file descriptor, to wait for messages with select or poll."""
        return self._socket.fileno()

    @property
    def port(self) -> int:
        """The address of the socket, by which the kernel names who has made a change."""
        port: int = self._socket.getsockname()[0]
        return port

    def ask(self, what: str, kind: int, body: bytes) -> NetlinkMessage:
        """The one message that answers a request; `what` is for the text of errors."""
        sequence = self._send(what, [(kind, REQUEST, body)])
        while True:
            for message in self.receive(what):
                if message.sequence != sequence:
                    continue
                if message.kind == _ERROR:
                    raise NetlinkError(what, _error_number(message.body))
                return message

    def dump(self, what: str, kind: int, body: bytes) -> Iterator[NetlinkMessage]:
        """Ask for all objects of a kind, and yield them; to be read to the end before the socket is used again.

        `what` is for the text of errors. Raises DumpInterrupted behind the last message of an inconsistent dump.
        """
        sequence = self._send(what, [(kind, REQUEST | DUMP, body)])
        flags = 0
        while True:
            for message in self.receive(what):
                if message.sequence != sequence:
                    continue
                flags |= message.flags
                if message.kind not in (_DONE, _ERROR):
                    yield message
                    continue
                number = _error_number(message.body)
                if number:
                    raise NetlinkError(what, number)
                if flags & _DUMP_INTERRUPTED:
                    raise DumpInterrupted(what, errno.EINTR)
                return

    def dump_all(self, what: str, kind: int, body: bytes) -> list[NetlinkMessage]:
        """All objects of a kind as a list, asked for again if the dump was interrupted."""
        found: list[NetlinkMessage] = []
        for _ in range(DUMP_ATTEMPTS):
            found.clear()
            try:
                found.extend(self.dump(what, kind, body))
            except DumpInterrupted:
                continue
            break
        return found

    def batch(self, what: str, kind: int, bodies: Sequence[bytes], flags: int = 0) -> list[RefusedRequest]:
        """Make one request per body, many of them in one system call; return those that were refused."""
        refusals: list[RefusedRequest] = []
        for start in range(0, len(bodies), _BATCH):
            requests = [(kind, flags | REQUEST, body) for body in bodies[start : start + _BATCH]]
            # A refusal is always answered; the last request asks for an answer in any case, to mark the end.
            requests[-1] = (kind, flags | REQUEST | ACK, requests[-1][2])
            last = self._send(what, requests)
            first = last - len(requests) + 1
            for sequence, number in self._answers(what, last):
                if number and first <= sequence:
                    refusals.append(RefusedRequest(start + sequence - first, number))
        return refusals

    def commit(self, what: str, subsystem: int, kind: int, body: bytes) -> None:
        """Make one change to a part of netfilter that takes changes in transactions only.

        `what` is for the text of errors. Raises NetlinkError; nothing is changed then.
        """
        # struct nfgenmsg: no address family, version 0, and the subsystem as the resource.
        frame = bytes(2) + subsystem.to_bytes(2, "big")
        requests = [(_TRANSACTION_BEGIN, REQUEST, frame), (kind, REQUEST | ACK, body)]
        last = self._send(what, [*requests, (_TRANSACTION_END, REQUEST, frame)])
        # An error of the transaction as a whole is the answer to its first message, and then the only answer.
        for _, number in self._answers(what, last - 1):
            if number:
                raise NetlinkError(what, number)

    def receive(self, what: str) -> list[NetlinkMessage]:
        """Wait for a datagram. Raises BufferOverrun if some were lost since the last call."""
        try:
            datagram = self._socket.recv(_RECEIVE_BYTES)
        except OSError as error:
            kind = BufferOverrun if error.errno == errno.ENOBUFS else NetlinkError
            raise kind(what, error.errno) from error
        return list(_messages(datagram))

    def accept_only(self, kind: int) -> None:
        """Have the kernel drop all datagrams that begin with another type of message, before they fill the buffer."""
        # Classic BPF: load the header's type; equal? take all of the datagram, else nothing. BPF reads big-endian.
        type_offset = 4
        wanted = int.from_bytes(kind.to_bytes(2, sys.byteorder), "big")
        instructions = ((0x28, 0, 0, type_offset), (0x15, 0, 1, wanted), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0))
        code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
        buffer = ctypes.create_string_buffer(code)
        program = struct.pack("@HP", len(instructions), ctypes.addressof(buffer))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)
        except OSError as error:
            raise NetlinkError("filter announcements", error.errno) from error

    def _answers(self, what: str, last: int) -> Iterator[tuple[int, int]]:
        """Sequence and error number of each answer, up to that to the request `last`."""
        while True:
            for message in self.receive(what):
                if message.kind == _ERROR:
                    yield message.sequence, _error_number(message.body)
                    if message.sequence == last:
                        return

    def _send(self, what: str, requests: Iterable[tuple[int, int, bytes]]) -> int:
        """Send requests (type, flags, body) as one datagram; return the sequence number of the last."""
        datagram = bytearray()
        for kind, flags, body in requests:
            self._sequence += 1
            datagram += _HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0)
            datagram += _padded(body)
        try:
            self._socket.send(datagram)
        except OSError as error:
            raise NetlinkError(what, error.errno) from error
        return self._sequence


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + _padded(payload)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that consists of attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def parse_attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    """The attributes in `data` from offset `start` on: payload by type. A truncated last one is left out."""
    found = {}
    size = len(data)
    while start + _ATTRIBUTE.size <= size:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if not _ATTRIBUTE.size <= length <= size - start:
            break
        found[kind & _TYPE_MASK] = data[start + _ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3
    return found


def _messages(datagram: bytes) -> Iterator[NetlinkMessage]:
    start = 0
    size = len(datagram)
    while start + _HEADER.size <= size:
        length, kind, flags, sequence, port = _HEADER.unpack_from(datagram, start)
        if not _HEADER.size <= length <= size - start:
            break
        yield NetlinkMessage(kind, flags, sequence, port, datagram[start + _HEADER.size : start + length])
        start += (length + 3) & ~3


def _error_number(body: bytes) -> int:
    """The error number with which an answer or a dump ends; the kernel writes it negative."""
    return -int.from_bytes(body[:4], sys.byteorder, signed=True)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
