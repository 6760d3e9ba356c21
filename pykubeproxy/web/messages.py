"""HTTP/1.1 as values: a request's head as bytes to a Request, a Response to bytes (RFC 9110, RFC 9112).

Does no I/O; `connection` has the sockets. A request is represented by its head: bodies are ignored, except for a few
bytes that are sent with PUT.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
NOSNIFF = ("X-Content-Type-Options", "nosniff")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VERSION = re.compile(r"HTTP/[0-9]\.[0-9]", re.ASCII)
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_LONGEST_BODY = 1024
_SUPPORTED_VERSIONS = ("HTTP/1.1", "HTTP/1.0")


class BadRequest(Exception):
    """A request that cannot be answered but with an error; `status` says which."""

    def __init__(self, status: HTTPStatus, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a request. `path` is decoded, header names are in lower case, `closes` if it is the last one.

    `body` is empty unless `body_length` says otherwise.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = {}
    has_body: bool = False
    body: bytes = b""
    closes: bool = False

    def asks(self, name: str) -> bool:
        """True if the query string has a parameter of this name, with or without a value."""
        return name in parse_qs(self.query, keep_blank_values=True)


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer; Content-Length, Date and Connection are added when it is sent."""

    status: int = HTTPStatus.OK
    content_type: str = TEXT
    headers: tuple[tuple[str, str], ...] = (NOSNIFF,)
    body: bytes = b""


Handler = Callable[[Request], Response]
"""Answers requests. It must not block: all servers share a thread."""


def text_response(text: str, status: int = HTTPStatus.OK) -> Response:
    """Plain text."""
    return Response(status=status, body=text.encode())


def json_response(body: bytes, status: int = HTTPStatus.OK) -> Response:
    """A JSON document, already encoded."""
    return Response(status=status, content_type=JSON, body=body)


def not_found(why: str = "404 page not found") -> Response:
    """The answer for a path that does not exist; by default with the text of all Kubernetes components."""
    return text_response(f"{why}\n", HTTPStatus.NOT_FOUND)


def refusal(bad: BadRequest) -> Response:
    """The answer to a request that could not be read."""
    return text_response(f"{bad.status.value} {bad.status.phrase}: {bad}", bad.status)


def split_head(data: bytes) -> tuple[bytes, bytes] | None:
    """(head, what follows it) once the head is complete, else None. Empty lines before a request are skipped."""
    data = data.lstrip(b"\r\n")
    end = _END_OF_HEAD.search(data)
    return None if end is None else (data[: end.start()], data[end.end() :])


def can_become_request(data: bytes) -> bool:
    """False for bytes with which no request can begin, such as those of TLS: more bytes need not be waited for."""
    start = data.lstrip(b"\r\n")[:1].decode("latin-1")
    return not start or _TOKEN.match(start) is not None


def parse_head(head: bytes) -> Request:
    """Read the head of a request, without the empty line at its end. Raises BadRequest."""
    first, *rest = (line.removesuffix("\r") for line in head.decode("latin-1").split("\n"))
    method, target, version = _request_line(first)
    headers = _headers(rest)
    if version == "HTTP/1.1" and "host" not in headers:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "missing required Host header")
    path, query = _target(target)
    options = [word.strip().lower() for word in headers.get("connection", "").split(",")]
    return Request(
        method=method,
        path=path,
        query=query,
        headers=headers,
        has_body="transfer-encoding" in headers or _content_length(headers) > 0,
        closes="close" in options or version == "HTTP/1.0",
    )


def body_length(request: Request) -> int:
    """The bytes after a head that are to be read with it: those of a PUT, if they are few and counted beforehand."""
    length = _content_length(request.headers)
    is_read = request.method == "PUT" and length <= _LONGEST_BODY and "transfer-encoding" not in request.headers
    return length if is_read else 0


def serialize(response: Response, *, date: str, closes: bool, head_only: bool = False) -> bytes:
    """The bytes of an answer. `date` is the present as `email.utils.formatdate(usegmt=True)` prints it."""
    headers = [
        ("Content-Type", response.content_type),
        *response.headers,
        ("Date", date),
        ("Content-Length", str(len(response.body))),
    ]
    if closes:
        headers.append(("Connection", "close"))
    lines = [f"HTTP/1.1 {int(response.status)} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if head_only else head + response.body


def media_ranges(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The media types of an Accept header with their parameters, the most wanted first (RFC 9110 section 12.5.1)."""
    ranges = []
    for item in accept.split(","):
        name, *parts = (part.strip() for part in item.split(";"))
        pairs = (part.partition("=") for part in parts)
        parameters = {key.strip().lower(): value.strip(' "') for key, _, value in pairs}
        weight = _weight(parameters.pop("q", "1"))
        if name and weight > 0:
            ranges.append((weight, name.lower(), parameters))
    for _, name, parameters in sorted(ranges, key=lambda item: -item[0]):
        yield name, parameters


def _request_line(line: str) -> tuple[str, str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not _VERSION.fullmatch(parts[2]):
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"malformed HTTP request {line[:60]!r}")
    if parts[2] not in _SUPPORTED_VERSIONS:
        raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"unsupported protocol version {parts[2]}")
    return parts[0], parts[1], parts[2]


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not colon or not _TOKEN.fullmatch(name) or any(sign in value for sign in "\r\0"):
            raise BadRequest(HTTPStatus.BAD_REQUEST, f"malformed header {line[:60]!r}")
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _target(target: str) -> tuple[str, str]:
    """(path, query) of a request target, which may be a whole URL."""
    if target.startswith("/"):
        path, _, query = target.partition("?")
        return unquote(path), query
    try:
        url = urlsplit(target)
    except ValueError:
        url = urlsplit("")
    if not url.scheme or not url.netloc:
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"invalid request target {target[:60]!r}")
    return unquote(url.path) or "/", url.query


def _content_length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"invalid Content-Length {text[:60]!r}")
    return int(text[:18])


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
