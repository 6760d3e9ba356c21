"""HTTP on one connection: reads requests, suffers the faults ordered for them, sends the answers, runs the watches."""

from __future__ import annotations

import gzip
import http
import select
import socket
import ssl
import time
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.apiserver import control, errors, presentation
from tests.apiserver.answers import Answer, Asked, answer, asked, is_public
from tests.apiserver.core import Core
from tests.apiserver.errors import ApiError
from tests.apiserver.faults import Failure, ListFault
from tests.apiserver.journal import Request
from tests.apiserver.options import parse
from tests.apiserver.resources import Target
from tests.apiserver.stream import Over, Stream
from tests.apiserver.watch import Feed
from tests.apiserver.wire import Ending, Wire

_COMPRESS_FROM = 128 * 1024
_TOO_MANY = "Too many requests, please try again later.\n"


_NO_PROGRESS = (
    "a watch stream was requested by the client but the required storage feature RequestWatchProgress is disabled"
)


class Handler(BaseHTTPRequestHandler):
    """Serves one connection until it is closed; the constructor returns then. :attr:`ending` says how to close it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, sock: socket.socket, address: tuple[str, int], core: Core) -> None:
        self.core = core
        self.ending = Ending.KEEP
        self.wire = Wire(sock, core.faults, core.stopping)
        super().__init__(sock, address, cast("BaseServer", None))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Say nothing: the journal has the requests."""

    def _serve(self) -> None:
        request = self._read()
        if request.path.startswith(control.PREFIX):
            self._reply(control.answer(self.core, request))
            return
        self._record(request)
        try:
            if self._suffers(request):
                return
            self._authenticate(request)
            if request.verb == "watch" and request.target is not None:
                self._watch(request, request.target)
            else:
                said = answer(self.core, request)
                if self.core.faults.loses_answer(request.verb, request.subject):
                    self._close(Ending.CUT)
                    return
                self._reply(said, cut=self.core.faults.truncates(request.verb, request.subject))
        except ApiError as error:
            self._reply_error(error)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of http.server

    def _read(self) -> Asked:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return asked(self.command, unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True)), headers, body)

    def _record(self, request: Asked) -> None:
        kept = {name: value for name, value in request.headers.items() if name != "authorization"}
        entry = Request(
            at=time.monotonic(),
            verb=request.verb,
            resource=request.subject,
            path=request.path,
            query=request.query,
            headers=kept,
        )
        self.core.journal.record(entry)

    def _suffers(self, request: Asked) -> bool:
        """Whether a fault has taken the place of the answer."""
        faults, verb, subject = self.core.faults, request.verb, request.subject
        self.core.stopping.wait(faults.delay_of(verb, subject))
        if faults.stalls(verb, subject):
            self._leave_unanswered()
            return True
        failure = faults.next_failure(verb, subject)
        if failure is not None:
            self._fail(failure)
        return failure is not None

    def _leave_unanswered(self) -> None:
        poll = select.poll()
        poll.register(self.wire.sock, select.POLLIN)
        while not self.wire.client_is_gone():
            poll.poll()
        self._close(Ending.CUT)

    def _fail(self, failure: Failure) -> None:
        headers = {} if failure.retry_after is None else {"Retry-After": f"{failure.retry_after:g}"}
        text = failure.body
        if text is None and failure.code == http.HTTPStatus.TOO_MANY_REQUESTS:
            text = _TOO_MANY
        if text is not None:
            plain = "text/plain; charset=utf-8"
            self._reply(Answer(code=failure.code, body=text.encode(), content_type=plain, headers=headers))
            return
        phrase = http.HTTPStatus(failure.code).phrase
        error = ApiError(failure.code, phrase.replace(" ", ""), f"{phrase}: ordered by a test")
        self._reply(Answer(code=failure.code, body=error.body(), headers=headers))

    def _authenticate(self, request: Asked) -> None:
        if isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert():
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip() in self.core.tokens:
            return
        if scheme or not is_public(request.path):
            raise errors.unauthorized()

    def _watch(self, request: Asked, target: Target) -> None:
        core = self.core
        options = parse(target, request.query, watch_list=core.faults.watch_list)
        feed = Feed(core.store, target.resource, options)
        if options.send_initial_events and core.faults.list_fault is not None:
            self._close(self._fail_list(core.faults.list_fault, feed))
            return
        gone: ApiError | None = None
        lines: list[bytes] = []
        try:
            lines = feed.start(core.patience)
        except ApiError as error:
            if core.faults.expired_as_http:
                raise
            gone = error
        headers = {"Transfer-Encoding": "chunked"}
        if options.send_initial_events and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        self._send_head(200, "application/json", headers)
        self.wire.compress_chunks(on="Content-Encoding" in headers)
        if gone is not None:
            self.wire.send_chunks(presentation.error_event(gone))
            self.wire.end_chunks()
            return
        stream = Stream(feed, core.store, self.wire, options, core.pace)
        try:
            self._close(self._run(stream, lines))
        finally:
            core.watchers.discard(stream)
            stream.close()

    def _fail_list(self, how: ListFault, feed: Feed) -> Ending:
        """Send a streaming list that does not come to its end mark."""
        if how == "status":
            raise ApiError(500, "InternalError", "etcdserver: request timed out")
        if how != "buffered":
            kind = "text/html" if how == "html" else "application/json"
            self._send_head(200, kind, {"Transfer-Encoding": "chunked"})
            self.wire.compress_chunks(on=False)
        objects = [line for line in feed.start(self.core.patience) if b'"BOOKMARK"' not in line]
        lines = {
            "error": [presentation.error_event(ApiError(500, "InternalError", _NO_PROGRESS))],
            "late-error": [*objects, presentation.error_event(ApiError(429, "TooManyRequests", "too many requests"))],
            "unmarked-end": objects,
            "ignored": objects,
            "unmarked-bookmark": [*objects, presentation.bookmark(feed.resource, self.core.store.revision)],
            "html": [b"<html><form>Log in</form></html>\n"],
        }
        self.wire.send_chunks(b"".join(lines.get(how, [])))
        if how in ("error", "late-error", "unmarked-end", "html"):
            self.wire.end_chunks()
            return Ending.KEEP
        self.wire.wait_for_client_to_go()
        return Ending.CUT

    def _run(self, stream: Stream, lines: list[bytes]) -> Ending:
        try:
            stream.begin(lines, self.core.faults.next_break(stream.resource.plural))
        except Over as over:
            return over.ending
        self.core.watchers.add(stream)
        return stream.run()

    def _reply_error(self, error: ApiError) -> None:
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        self._reply(Answer(code=error.code, body=error.body(), headers=headers))

    def _reply(self, said: Answer, *, cut: bool = False) -> None:
        headers, body = dict(said.headers), said.body
        if len(body) > _COMPRESS_FROM and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        headers["Content-Length"] = str(len(body))
        self._send_head(said.code, said.content_type, headers)
        self.wire.send(body[: len(body) // 2] if cut else body)
        if cut:
            self._close(Ending.CUT)

    def _send_head(self, code: int, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response_only(code)
        usual = {"Audit-Id": str(uuid.uuid4()), "Cache-Control": "no-cache, private", "Date": self.date_time_string()}
        for name, value in (usual | {"Content-Type": content_type} | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()

    def flush_headers(self) -> None:
        """Send the head the same way as the body, slowly if so ordered."""
        self.wire.send(b"".join(self._headers_buffer))
        self._headers_buffer: list[bytes] = []

    def _close(self, ending: Ending) -> None:
        if ending is not Ending.KEEP:
            self.ending = ending
            self.close_connection = True
