"""The connection of one client: reads requests, calls the handler, writes the answers, each within a time limit.

Nothing here waits: the thread that owns the connection calls `advance` when the socket is ready, and closes the
connection when its deadline has passed.
"""

import socket
from email.utils import formatdate
from enum import Enum
from http import HTTPStatus

import msgspec
from msgspec.structs import replace

from pykubeproxy import logger
from pykubeproxy.web import messages

log = logger.get()

_CHUNK = 16 * 1024


class ClientLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a connection: times in seconds, and `head_bytes` for the request line with all headers."""

    request: float = 10.0
    idle: float = 90.0
    answer: float = 30.0
    linger: float = 1.0
    head_bytes: int = 16 * 1024


class HttpState(Enum):
    """The state of a connection."""

    IDLE = "between requests"
    ASKING = "a request is coming in"
    ANSWERING = "an answer is going out"
    LINGERING = "the last answer is sent; what the client still sends is dropped"
    CLOSED = "closed"


class Connection:
    """A connection, from accept to close. `deadline` is on the clock of the `now` that every call is given."""

    def __init__(self, sock: socket.socket, handler: messages.Handler, limits: ClientLimits, now: float) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.state = HttpState.ASKING
        self.deadline = now + limits.request
        self._handler = handler
        self._limits = limits
        self._received = b""
        self._to_send = memoryview(b"")
        self._is_last = False

    @property
    def wants_to_send(self) -> bool:
        """True while it waits for the client to take an answer, and reads nothing."""
        return self.state is HttpState.ANSWERING

    def advance(self, now: float) -> None:
        """Read or write, since the socket is ready. If the client has gone, close the connection; nothing is raised."""
        try:
            if self.state is HttpState.ANSWERING:
                self._send(now)
            else:
                self._receive(now)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()

    def close(self) -> None:
        """Close the socket; may be called more than once."""
        self.state = HttpState.CLOSED
        self.sock.close()

    def _receive(self, now: float) -> None:
        data = self.sock.recv(_CHUNK)
        if not data:
            self.close()
            return
        if self.state is HttpState.LINGERING:
            return
        if self.state is HttpState.IDLE:
            self.state = HttpState.ASKING
            self.deadline = now + self._limits.request
        self._received += data
        try:
            request = self._request()
        except messages.BadRequest as bad:
            self._answer(messages.refusal(bad), now, is_last=True)
            return
        if request is not None:
            # What follows a head is its body, or a request sent ahead of its time: neither is read, but for the few
            # bytes of `body_length`. Clients repeat a request that was sent ahead and not answered.
            is_last = request.closes or request.has_body or bool(self._received)
            self._answer(self._handled(request), now, is_last=is_last, head_only=request.method == "HEAD")

    def _request(self) -> messages.Request | None:
        """The request that has come in; None if it is not complete. Raises BadRequest."""
        found = messages.split_head(self._received)
        if found is not None and len(found[0]) <= self._limits.head_bytes:
            request = messages.parse_head(found[0])
            length = messages.body_length(request)
            if len(found[1]) < length:
                return None
            self._received = found[1][length:]
            return replace(request, body=found[1][:length])
        if found is not None or len(self._received) > self._limits.head_bytes:
            problem = f"more than {self._limits.head_bytes} bytes of headers"
            raise messages.BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, problem)
        if not messages.can_become_request(self._received):
            raise messages.BadRequest(HTTPStatus.BAD_REQUEST, "this is not HTTP")
        return None

    def _handled(self, request: messages.Request) -> messages.Response:
        try:
            return self._handler(request)
        except Exception:  # an error in one page must not end the server
            log.exception("cannot answer a request", path=request.path)
            return messages.text_response("500 Internal Server Error\n", HTTPStatus.INTERNAL_SERVER_ERROR)

    def _answer(self, response: messages.Response, now: float, *, is_last: bool, head_only: bool = False) -> None:
        answer = messages.serialize(response, date=formatdate(usegmt=True), closes=is_last, head_only=head_only)
        self._to_send = memoryview(answer)
        self._is_last = is_last
        self.state = HttpState.ANSWERING
        self.deadline = now + self._limits.answer
        self._send(now)

    def _send(self, now: float) -> None:
        while self._to_send:
            self._to_send = self._to_send[self.sock.send(self._to_send) :]
        if not self._is_last:
            self.state = HttpState.IDLE
            self.deadline = now + self._limits.idle
            return
        # To close with unread input would reset the connection, and the client might lose the answer (RFC 9112 9.6).
        self.state = HttpState.LINGERING
        self.deadline = now + self._limits.linger
        self.sock.shutdown(socket.SHUT_WR)
