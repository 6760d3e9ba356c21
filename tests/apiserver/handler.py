"""HTTP on one connection: reads requests, suffers the faults ordered for them, sends the answers, runs the watches."""

from __future__ import annotations

import gzip
import http
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from tests.apiserver.faults import Break, Failure, ListFault, Stall, Truncation
from tests.apiserver.journal import Request
from tests.apiserver.objects import Selection
from tests.apiserver.resources import Target, target_of
from tests.apiserver.store import ApiError, expired, key_of
from tests.apiserver.watch import Options, Stream, line, whole
from tests.apiserver.wire import Ending, Wire

if TYPE_CHECKING:
    from tests.apiserver.server import ApiServer

_COMPRESS_FROM = 128 * 1024
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"
_GZIP = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
_VERBS = {"GET": "list", "POST": "create", "PUT": "update"}
_TOKENS = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    """Serves one connection until it is closed; the constructor returns then. :attr:`ending` says how to close it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(
        self, sock: socket.socket, address: tuple[str, int], api: ApiServer, stopping: threading.Event
    ) -> None:
        self.api = api
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
        verb = "watch" if query.get("watch") == "true" else _VERBS[self.command]
        verb = "get" if verb == "list" and target is not None and target.name else verb
        subject = target.resource.plural if target else path
        kept = {name.lower(): value for name, value in self.headers.items() if name.lower() != "authorization"}
        self.api.requests.record(
            Request(at=time.monotonic(), verb=verb, resource=subject, path=path, query=query, headers=kept)
        )
        try:
            if self._suffers(verb, subject):
                return
            self._authenticate()
            target = _served(target)
            if verb == "watch":
                self._watch(target, query)
                return
            answer = self._list(target, query) if verb == "list" else self._one(verb, target, body)
            is_cut = self.api.faults.take(Truncation, verb, subject) is not None
            self._reply(201 if verb == "create" else 200, answer, is_cut=is_cut)
        except ApiError as error:
            self._reply(error.code, error.body(), retry_after=error.retry_after)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 - names of http.server

    def _suffers(self, verb: str, subject: str) -> bool:
        faults = self.api.faults
        if faults.take(Stall, verb, subject):
            self.wire.wait_for_client_to_go()
            self._close(Ending.CUT)
            return True
        failure = faults.take(Failure, verb, subject)
        if failure is None:
            return False
        if failure.body is None:
            phrase = http.HTTPStatus(failure.code).phrase
            body = ApiError(failure.code, phrase.replace(" ", ""), f"{phrase}: ordered by a test").body()
            self._reply(failure.code, body, retry_after=failure.retry_after)
        else:
            self._reply(failure.code, failure.body.encode(), content_type=_TEXT, retry_after=failure.retry_after)
        return True

    def _authenticate(self) -> None:
        """A client certificate will do, or a bearer token. Raises a 401."""
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        is_known = isinstance(self.connection, ssl.SSLSocket) and bool(self.connection.getpeercert())
        if not is_known and not (scheme.lower() == "bearer" and token.strip() == self.api.access.token):
            raise ApiError(401, "Unauthorized", "Unauthorized")

    def _one(self, verb: str, target: Target, body: bytes) -> bytes:
        if verb == "get":
            version = self.api.store.get(target.resource.plural, key_of(target.namespace, target.name))
            if version is None:
                raise ApiError(404, "NotFound", f'{target.resource.plural} "{target.name}" not found')
            return whole(target.resource, version)
        store = self.api.create if verb == "create" else self.api.replace
        try:
            return msgspec.json.encode(store(target.resource.typed | msgspec.json.decode(body)))
        except KeyError as error:
            raise ApiError(422, "Invalid", f"{error} is missing") from error

    def _list(self, target: Target, query: Mapping[str, str]) -> bytes:
        """A list, whole or a page. At resourceVersion 0 the limit is ignored, as by a real server's watch cache."""
        store, options = self.api.store, _options(target, query)
        if token := query.get("continue"):
            if token not in store.pages:
                raise expired(0, store.revision)
            revision, found = store.pages[token]
        else:
            if options.resource_version:
                store.wait_for(options.resource_version, self.api.patience)
            revision, versions = store.versions(target.resource.plural)
            found = [each for each in versions if options.selection.takes(each)]
        metadata = {"resourceVersion": str(revision)}
        limit = int(query.get("limit") or 0) if options.resource_version != 0 else 0
        if limit and len(found) > limit:
            metadata["continue"] = str(next(_TOKENS))
            store.pages[metadata["continue"]] = (revision, found[limit:])
            found = found[:limit]
        items = [msgspec.Raw(each.body) for each in found]
        head = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version}
        return msgspec.json.encode(head | {"metadata": metadata, "items": items}) + b"\n"

    def _watch(self, target: Target, query: Mapping[str, str]) -> None:
        api, options = self.api, _options(target, query)
        stream = Stream(api.store, target.resource, options, self.wire)
        if options.send_initial_events and api.faults.list_fault is not None:
            self._close(self._fail_list(api.faults.list_fault, stream))
            return
        gone: ApiError | None = None
        lines: list[bytes] = []
        try:
            lines = stream.first(api.patience)
        except ApiError as error:
            gone = error
        self._begin_stream(_JSON, may_compress=options.send_initial_events)
        if gone is not None:
            self.wire.send_chunk(line("ERROR", gone.status))
            self.wire.end_chunks()
            return
        if broken := api.faults.take(Break, "watch", target.resource.plural):
            self._close(stream.suffer(broken.how))
            return
        self.wire.send_chunk(b"".join(lines))
        api.watchers.add(stream)
        try:
            self._close(stream.run())
        finally:
            api.watchers.discard(stream)

    def _fail_list(self, how: ListFault, stream: Stream) -> Ending:
        if how == "refused":
            raise ApiError(422, "Invalid", "sendInitialEvents is forbidden unless WatchList is enabled")
        if how != "buffered":
            may_compress = how not in ("html", "uncompressed")
            self._begin_stream("text/html" if how == "html" else _JSON, may_compress=may_compress)
        everything = stream.first(self.api.patience)
        objects = [each for each in everything if b'"BOOKMARK"' not in each]
        lines = {
            "error": [line("ERROR", ApiError(500, "InternalError", "RequestWatchProgress is disabled").status)],
            "unmarked-end": objects,
            "unmarked-bookmark": [*objects, stream.bookmark()],
            "html": [b"<html><form>Log in</form></html>\n"],
            "uncompressed": everything,
        }
        self.wire.send_chunk(b"".join(lines.get(how, [])))
        if how in ("error", "unmarked-end", "html"):
            self.wire.end_chunks()
            return Ending.KEEP
        self.wire.wait_for_client_to_go()
        return Ending.CUT

    def _begin_stream(self, content_type: str, *, may_compress: bool) -> None:
        is_compressed = may_compress and "gzip" in self.headers.get("Accept-Encoding", "")
        self._send_head(200, content_type, {"Transfer-Encoding": "chunked"} | (_GZIP if is_compressed else {}))
        self.wire.compress_chunks(on=is_compressed)

    def _reply(
        self, code: int, body: bytes, *, content_type: str = _JSON, retry_after: int = 0, is_cut: bool = False
    ) -> None:
        headers = {"Retry-After": str(retry_after)} if retry_after else {}
        if len(body) > _COMPRESS_FROM and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1)
            headers |= _GZIP
        self._send_head(code, content_type, headers | {"Content-Length": str(len(body))})
        self.wire.send(body[: len(body) // 2] if is_cut else body)
        if is_cut:
            self._close(Ending.CUT)

    def _send_head(self, code: int, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response_only(code)
        for name, value in ({"Content-Type": content_type} | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()

    def _close(self, ending: Ending) -> None:
        if ending is not Ending.KEEP:
            self.ending = ending
            self.close_connection = True


def _served(target: Target | None) -> Target:
    if target is None:
        raise ApiError(404, "NotFound", "the requested resource not found")
    return target


def _options(target: Target, query: Mapping[str, str]) -> Options:
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    version = query.get("resourceVersion")
    return Options(
        selection=Selection(namespace=target.namespace, labels=labels, fields=fields),
        resource_version=int(version) if version else None,
        timeout=int(query.get("timeoutSeconds") or 0),
        bookmarks=query.get("allowWatchBookmarks") == "true",
        send_initial_events=query.get("sendInitialEvents") == "true",
    )
