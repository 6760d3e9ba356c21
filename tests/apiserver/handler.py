"""HTTP on one connection: reads requests, suffers the faults ordered for them, sends the answers, runs the watches."""

from __future__ import annotations

import base64
import gzip
import http
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from tests.apiserver import errors
from tests.apiserver.errors import ApiError
from tests.apiserver.faults import Failure, ListFault
from tests.apiserver.journal import Request
from tests.apiserver.objects import Selection
from tests.apiserver.resources import Target, target_of
from tests.apiserver.watch import Feed, Options, Over, Stream, bookmark, line, selected, wait_until_fresh
from tests.apiserver.wire import Ending, Wire

if TYPE_CHECKING:
    from tests.apiserver.server import ApiServer

_COMPRESS_FROM = 128 * 1024
_TOO_MANY = "Too many requests, please try again later.\n"
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
_NO_PROGRESS = (
    "a watch stream was requested by the client but the required storage feature RequestWatchProgress is disabled"
)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is known in full. ``headers`` come on top of the usual ones."""

    code: int = 200
    body: bytes
    content_type: str = _JSON
    headers: Mapping[str, str] = {}


class Handler(BaseHTTPRequestHandler):
    """Serves one connection until it is closed; the constructor returns then. :attr:`ending` says how to close it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(
        self, sock: socket.socket, address: tuple[str, int], api: ApiServer, stopping: threading.Event
    ) -> None:
        self.api = api
        self.stopping = stopping
        self.ending = Ending.KEEP
        self.wire = Wire(sock, api.faults, stopping)
        super().__init__(sock, address, cast("BaseServer", None))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Say nothing: the journal has the requests."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        path, query = unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True))
        target = target_of(path)
        verb, subject = _verb(self.command, target, query), target.resource.plural if target else path
        kept = {name.lower(): value for name, value in self.headers.items() if name.lower() != "authorization"}
        self.api.requests.record(
            Request(at=time.monotonic(), verb=verb, resource=subject, path=path, query=query, headers=kept)
        )
        try:
            if self._suffers(verb, subject):
                return
            self._authenticate(path)
            if target is not None and verb == "watch":
                self._watch(target, query)
                return
            said = self._answer(verb, path, target, query, body)
            if self.api.faults.loses_answer(verb, subject):
                self._close(Ending.CUT)
            else:
                self._reply(said, cut=self.api.faults.truncates(verb, subject))
        except ApiError as error:
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            self._reply(Answer(code=error.code, body=error.body(), headers=headers))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of http.server

    def _suffers(self, verb: str, subject: str) -> bool:
        """Whether a fault has taken the place of the answer."""
        faults = self.api.faults
        self.stopping.wait(faults.delay_of(verb, subject))
        if faults.stalls(verb, subject):
            self.wire.wait_for_client_to_go()
            self._close(Ending.CUT)
            return True
        failure = faults.next_failure(verb, subject)
        if failure is not None:
            self._fail(failure)
        return failure is not None

    def _fail(self, failure: Failure) -> None:
        headers = {} if failure.retry_after is None else {"Retry-After": f"{failure.retry_after:g}"}
        text = failure.body
        if text is None and failure.code == http.HTTPStatus.TOO_MANY_REQUESTS:
            text = _TOO_MANY
        if text is not None:
            self._reply(Answer(code=failure.code, body=text.encode(), content_type=_TEXT, headers=headers))
            return
        phrase = http.HTTPStatus(failure.code).phrase
        error = ApiError(failure.code, phrase.replace(" ", ""), f"{phrase}: ordered by a test")
        self._reply(Answer(code=failure.code, body=error.body(), headers=headers))

    def _authenticate(self, path: str) -> None:
        if isinstance(self.connection, ssl.SSLSocket) and self.connection.getpeercert():
            return
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and token.strip() in self.api.tokens:
            return
        if scheme or not path.startswith(_PUBLIC):
            raise ApiError(401, "Unauthorized", "Unauthorized")

    def _answer(self, verb: str, path: str, target: Target | None, query: Mapping[str, str], body: bytes) -> Answer:
        """Answer anything but a watch. Raises ApiError."""
        if target is None and path.startswith(_PUBLIC):
            return Answer(body=b"ok", content_type=_TEXT)
        if target is None:
            raise errors.not_found("the requested resource")
        resource, namespace = target.resource, target.namespace
        match verb:
            case "list":
                return Answer(body=self._list(target, query))
            case "get":
                return Answer(body=msgspec.json.encode(self.api.get(resource.kind, namespace, target.name)))
            case "create" | "update":
                store = self.api.create if verb == "create" else self.api.replace
                try:
                    stored = store(resource.typed | msgspec.json.decode(body))
                except KeyError as error:
                    raise ApiError(422, "Invalid", f"{error} is missing") from error
                return Answer(code=201 if verb == "create" else 200, body=msgspec.json.encode(stored))
        raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _list(self, target: Target, query: Mapping[str, str]) -> bytes:
        """A list, whole or a page. At resourceVersion 0 the limit is ignored, as by a real server's watch cache.

        The continue token is the revision of the first page and the key where the next one starts.
        """
        store, table, options = self.api.store, target.resource.plural, _options(target, query)
        revision, start = None, ""
        if query.get("continue"):
            text, _, start = base64.urlsafe_b64decode(query["continue"]).decode().partition(" ")
            revision = int(text)
        elif options.resource_version:
            wait_until_fresh(store, options.resource_version, self.api.settings.patience)
        if revision is not None and revision > store.revision:
            raise errors.expired(revision, store.revision)
        snapshot = store.snapshot(table, revision)
        found = [each for each in snapshot.versions if each.key >= start and selected(options.selection, each)]
        metadata = {"resourceVersion": str(snapshot.revision)}
        limit = int(query.get("limit") or 0) if options.resource_version != 0 else 0
        if limit and len(found) > limit:
            token = f"{snapshot.revision} {found[limit].key}"
            metadata["continue"] = base64.urlsafe_b64encode(token.encode()).decode()
            found = found[:limit]
        items = [msgspec.Raw(each.body) for each in found]
        head = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version}
        return msgspec.json.encode(head | {"metadata": metadata, "items": items}) + b"\n"

    def _watch(self, target: Target, query: Mapping[str, str]) -> None:
        api = self.api
        options = _options(target, query)
        if options.send_initial_events and not api.faults.watch_list:
            raise ApiError(
                422, "Invalid", "sendInitialEvents is forbidden unless the WatchList feature gate is enabled"
            )
        feed = Feed(api.store, target.resource, options)
        if options.send_initial_events and api.faults.list_fault is not None:
            self._close(self._fail_list(api.faults.list_fault, feed))
            return
        gone: ApiError | None = None
        lines: list[bytes] = []
        try:
            lines = feed.start(api.settings.patience)
        except ApiError as error:
            if api.faults.expired_as_http:
                raise
            gone = error
        headers = {"Transfer-Encoding": "chunked"}
        if options.send_initial_events and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        self._send_head(200, _JSON, headers)
        self.wire.compress_chunks(on="Content-Encoding" in headers)
        if gone is not None:
            self.wire.send_chunks(line("ERROR", gone.status()))
            self.wire.end_chunks()
            return
        stream = Stream(feed, api.store, self.wire, options.timeout, api.settings.pace)
        try:
            self._close(self._run(stream, lines))
        finally:
            api.watchers.discard(stream)
            stream.close()

    def _fail_list(self, how: ListFault, feed: Feed) -> Ending:
        """Send a streaming list that does not come to its end mark."""
        if how == "status":
            raise ApiError(500, "InternalError", "etcdserver: request timed out")
        if how != "buffered":
            kind = "text/html" if how == "html" else "application/json"
            self._send_head(200, kind, {"Transfer-Encoding": "chunked"})
            self.wire.compress_chunks(on=False)
        objects = [each for each in feed.start(self.api.settings.patience) if b'"BOOKMARK"' not in each]
        lines = {
            "error": [line("ERROR", ApiError(500, "InternalError", _NO_PROGRESS).status())],
            "late-error": [*objects, line("ERROR", ApiError(429, "TooManyRequests", "too many requests").status())],
            "unmarked-end": objects,
            "ignored": objects,
            "unmarked-bookmark": [*objects, bookmark(feed.resource, self.api.store.revision)],
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
            stream.begin(lines, self.api.faults.next_break(stream.resource.plural))
        except Over as over:
            return over.ending
        self.api.watchers.add(stream)
        return stream.run()

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
        for name, value in ({"Date": self.date_time_string(), "Content-Type": content_type} | dict(headers)).items():
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


def _verb(method: str, target: Target | None, query: Mapping[str, str]) -> str:
    """The verb as in audit logs."""
    if target is None:
        return method.lower()
    if method == "GET":
        if query.get("watch", "").lower() in ("true", "1"):
            return "watch"
        return "get" if target.name else "list"
    return {"POST": "create", "PUT": "update"}.get(method, method.lower())


def _options(target: Target, query: Mapping[str, str]) -> Options:
    """The parameters of a list or watch."""

    def is_true(name: str) -> bool:
        return query.get(name, "").lower() in ("true", "1")

    version: Any = query.get("resourceVersion")
    return Options(
        selection=Selection(
            namespace=target.namespace, labels=query.get("labelSelector", ""), fields=query.get("fieldSelector", "")
        ),
        resource_version=int(version) if version else None,
        timeout=int(query.get("timeoutSeconds") or 0),
        bookmarks=is_true("allowWatchBookmarks"),
        send_initial_events=is_true("sendInitialEvents"),
    )
