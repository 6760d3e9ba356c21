"""Answers and exceptions in one line."""

import errno
import socket
import ssl

import pytest
import urllib3
from urllib3 import exceptions

from pykubeproxy.cluster.api_error import READ_TIMEOUT, refused
from pykubeproxy.cluster.unreachable import unreachable

STATUS = b'{"kind":"Status","code":%d,"reason":"R","message":"not\\nnow","details":{"retryAfterSeconds":7}}'


def test_a_status_object_says_why() -> None:
    error = refused(503, STATUS % 503)
    assert str(error) == "the API server answers 503: not now"
    assert (error.status, error.kind, error.retry_after) == (503, "status 503", 7)


def test_the_header_says_when_to_come_back() -> None:
    assert refused(429, STATUS % 429, "3").retry_after == 3
    assert refused(429, b"Too many requests\n", "3").retry_after == 3
    assert refused(429, b"", "Wed, 21 Oct 2026 07:28:00 GMT").retry_after is None


def test_other_bodies_are_quoted_on_one_line_and_not_at_length() -> None:
    text = str(refused(502, b"<html>\n<body>" + b"x" * 5000))
    assert text.startswith("the API server answers 502: <html> <body>xxx")
    assert len(text) < 400
    assert str(refused(500, b"")) == "the API server answers 500: no explanation"


def test_an_error_event_has_its_status_inside() -> None:
    assert refused(0, STATUS % 410).is_expired


@pytest.mark.parametrize(
    ("status", "text", "properties"),
    [
        (400, b"", {"is_unsupported"}),
        (401, b"", {"is_unauthorized"}),
        (403, b"", {"is_forbidden"}),
        (410, b"", {"is_expired"}),
        (422, b"", {"is_unsupported"}),
        (504, b"Timeout: Too large resource version: 9, current: 4", {"is_too_new"}),
        (504, b"Timeout", set()),
        (500, b"Too large resource version", set()),
    ],
)
def test_what_an_answer_means(status: int, text: bytes, properties: set[str]) -> None:
    names = {"is_unsupported", "is_unauthorized", "is_forbidden", "is_expired", "is_too_new"}
    error = refused(status, text)
    assert {name for name in names if getattr(error, name)} == properties


def raised(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


POOL = urllib3.HTTPConnectionPool("api", 6443)
CONNECTION = urllib3.connection.HTTPConnection("api", 6443)
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (raised(exceptions.NewConnectionError(CONNECTION, "Failed"), REFUSED), "https://api: Connection refused"),
        (
            raised(exceptions.NewConnectionError(CONNECTION, "Failed"), socket.gaierror(-2, "Name unknown")),
            "https://api: the name cannot be resolved: Name unknown",
        ),
        (
            exceptions.ProtocolError("Connection broken", ConnectionResetError(errno.ECONNRESET, "Connection reset")),
            "https://api: Connection reset",
        ),
        (exceptions.ProtocolError("Response ended prematurely"), "https://api: the connection broke off"),
        (exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred")), "https://api: the connection broke off"),
        (exceptions.ReadTimeoutError(POOL, "/", "Read timed out."), "https://api: no answer in time"),
        (exceptions.ConnectTimeoutError(CONNECTION, "timed out"), "https://api: no connection in time"),
        (
            exceptions.ProxyError(
                "Unable to connect to proxy", raised(exceptions.NewConnectionError(CONNECTION, ""), REFUSED)
            ),
            "the proxy before https://api: Connection refused",
        ),
    ],
)
def test_exceptions_of_the_transport(error: Exception, text: str) -> None:
    assert str(unreachable(error, "https://api")) == text


def test_silence_has_a_kind_of_its_own() -> None:
    assert unreachable(exceptions.ReadTimeoutError(POOL, "/", ""), "https://api").kind == READ_TIMEOUT
