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


@pytest.mark.parametrize(
    ("status", "body", "header", "text", "retry_after"),
    [
        (503, STATUS % 503, None, "not now", 7),
        (429, STATUS % 429, "3", "not now", 3),
        (429, b"Too many requests\n", "3", "Too many requests", 3),
        (429, b"", "Wed, 21 Oct 2026 07:28:00 GMT", "no explanation", None),
        (502, b"<html>\n<body>x", None, "<html> <body>x", None),
    ],
)
def test_what_an_answer_says(status: int, body: bytes, header: str | None, text: str, retry_after: int | None) -> None:
    error = refused(status, body, header) if header else refused(status, body)
    assert str(error) == f"the API server answers {status}: {text}"
    assert (error.status, error.kind, error.retry_after) == (status, f"status {status}", retry_after)


POOL = urllib3.HTTPConnectionPool("api", 6443)
CONNECTION = urllib3.connection.HTTPConnection("api", 6443)


def not_connected(cause: Exception) -> Exception:
    error = exceptions.NewConnectionError(CONNECTION, "Failed")
    error.__cause__ = cause
    return error


def behind_a_proxy(cause: Exception) -> Exception:
    error = exceptions.ProxyError("Unable to connect to proxy", cause)
    error.__cause__ = cause
    return error


REFUSED = not_connected(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (REFUSED, "https://api: Connection refused"),
        (not_connected(socket.gaierror(-2, "Unknown")), "https://api: the name cannot be resolved: Unknown"),
        (exceptions.ProtocolError("Connection broken", RESET), "https://api: Connection reset"),
        (exceptions.ProtocolError("Response ended prematurely"), "https://api: the connection broke off"),
        (exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred")), "https://api: the connection broke off"),
        (exceptions.ReadTimeoutError(POOL, "/", "Read timed out."), "https://api: no answer in time"),
        (exceptions.ConnectTimeoutError(CONNECTION, "timed out"), "https://api: no connection in time"),
        (behind_a_proxy(REFUSED), "the proxy before https://api: Connection refused"),
    ],
)
def test_exceptions_of_the_transport(error: Exception, text: str) -> None:
    told = unreachable(error, "https://api")
    assert (str(told), told.kind == READ_TIMEOUT) == (text, isinstance(error, exceptions.ReadTimeoutError))
