"""HTTP as values: what is understood, what is refused, and what is sent."""

import re
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.web.messages import (
    BadRequest,
    Request,
    Response,
    json_response,
    media_ranges,
    parse_head,
    serialize,
    split_head,
)


def parse(*lines: str) -> Request:
    return parse_head("\r\n".join(lines).encode("latin-1"))


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/healthz", "/healthz", ""),
        ("/healthz?", "/healthz", ""),
        ("/healthz?verbose", "/healthz", "verbose"),
        ("/health%7A", "/healthz", ""),
        ("http://node:10256/livez?a=b", "/livez", "a=b"),
        ("http://node", "/", ""),
        ("//healthz", "//healthz", ""),
    ],
)
def test_target(target: str, path: str, query: str) -> None:
    request = parse(f"GET {target} HTTP/1.1", "Host: node")
    assert (request.path, request.query) == (path, query)


@pytest.mark.parametrize(
    ("lines", "closes", "has_body"),
    [
        (("GET / HTTP/1.1", "Host: x"), False, False),
        (("GET / HTTP/1.1", "host: x", "CONNECTION: Close"), True, False),
        (("GET / HTTP/1.1", "Host: x", "Connection: keep-alive, close"), True, False),
        (("GET / HTTP/1.0",), True, False),
        (("POST / HTTP/1.1", "Host: x", "Content-Length: 3"), False, True),
        (("POST / HTTP/1.1", "Host: x", "Content-Length: 0"), False, False),
        (("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked"), False, True),
    ],
)
def test_end_of_connection(lines: tuple[str, ...], *, closes: bool, has_body: bool) -> None:
    request = parse(*lines)
    assert (request.closes, request.has_body) == (closes, has_body)


@pytest.mark.parametrize(
    ("lines", "status", "problem"),
    [
        (("GET /",), 400, "malformed HTTP request 'GET /'"),
        (("",), 400, "malformed HTTP request ''"),
        (("GET  / HTTP/1.1",), 400, "malformed HTTP request"),
        (("G\x00T / HTTP/1.1",), 400, "malformed HTTP request"),
        (("GET / HTTQ/1.1",), 400, "malformed HTTP request"),
        (("GET / HTTP/2.0",), 505, "unsupported protocol version HTTP/2.0"),
        (("PRI * HTTP/2.0",), 505, "unsupported protocol version"),
        (("GET / HTTP/1.1",), 400, "missing required Host header"),
        (("GET / HTTP/1.1", "Host x"), 400, "malformed header 'Host x'"),
        (("GET / HTTP/1.1", "Host : x"), 400, "malformed header"),
        (("GET / HTTP/1.1", "Host: x", " folded"), 400, "malformed header"),
        (("GET / HTTP/1.1", "Host: x\0"), 400, "malformed header"),
        (("GET healthz HTTP/1.1", "Host: x"), 400, "invalid request target 'healthz'"),
        (("GET http://[::1 HTTP/1.1", "Host: x"), 400, "invalid request target"),
        (("GET / HTTP/1.1", "Host: x", "Content-Length: -1"), 400, "invalid Content-Length '-1'"),
        (("GET / HTTP/1.1", "Host: x", "Content-Length: 1", "Content-Length: 2"), 400, "invalid Content-Length"),
    ],
)
def test_refuses(lines: tuple[str, ...], status: int, problem: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(problem)) as caught:
        parse(*lines)
    assert caught.value.status == status


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    try:
        outcome: Request | HTTPStatus = parse_head(data)
    except BadRequest as bad:
        outcome = bad.status
    statuses = (HTTPStatus.BAD_REQUEST, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    assert outcome in statuses or isinstance(outcome, Request)


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (b"", None),
        (b"GET / HTTP/1.1\r\n", None),
        (b"GET / HTTP/1.1\r\n\r", None),
        (b"GET / HTTP/1.1\r\n\r\n", (b"GET / HTTP/1.1", b"")),
        (b"GET / HTTP/1.1\n\nrest", (b"GET / HTTP/1.1", b"rest")),
        (b"\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n\r\nrest", (b"GET / HTTP/1.1\r\nA: b", b"rest")),
        (b"\r\n\r\n", None),
    ],
)
def test_end_of_head(data: bytes, parts: tuple[bytes, bytes] | None) -> None:
    assert split_head(data) == parts


def test_sends_an_answer() -> None:
    sent = serialize(json_response(b"{}"), date="Sun, 22 Nov 2026 12:34:34 GMT", closes=False)
    assert sent == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: application/json\r\n"
        b"X-Content-Type-Options: nosniff\r\n"
        b"Date: Sun, 22 Nov 2026 12:34:34 GMT\r\n"
        b"Content-Length: 2\r\n"
        b"\r\n"
        b"{}"
    )


def test_sends_the_last_answer_without_its_body_to_head() -> None:
    response = Response(status=503, content_type="a/b", headers=(("X-Y", "z"),), body=b"12345")
    head = serialize(response, date="now", closes=True, head_only=True)
    assert head == (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"Content-Type: a/b\r\nX-Y: z\r\nDate: now\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", []),
        ("*/*", [("*/*", {})]),
        ("a/b;q=0.2, c/d;v=1;q=0.5", [("c/d", {"v": "1"}), ("a/b", {})]),
        ("a/b, c/d", [("a/b", {}), ("c/d", {})]),
        ("a/b;q=0, c/d;q=x, E/F", [("e/f", {})]),
        ('a/b;v="1"', [("a/b", {"v": "1"})]),
    ],
)
def test_media_ranges(accept: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert list(media_ranges(accept)) == expected
