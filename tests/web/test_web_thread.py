"""The web thread with real sockets: polite clients are served whatever the others do."""

import http.client
import socket
import threading
import time
from contextlib import ExitStack
from itertools import pairwise

import pytest

from pykubeproxy.web.connection import ClientLimits
from pykubeproxy.web.messages import Request, Response, text_response
from pykubeproxy.web.server import ConnectionLimits, Listener
from tests.kernel.machine import wait_until
from tests.observe.client import ask, descriptors, dialled, is_listening, listening, read_all, running, served

LARGE = b"x" * 10_000_000


def echo(request: Request) -> Response:
    return text_response(f"{request.method} {request.path}")


def large(request: Request) -> Response:
    return Response(body=LARGE) if request.path == "/large" else echo(request)


def echo_body(request: Request) -> Response:
    return text_response(f"<{request.body.decode()}>")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW", "HEAD"])
def test_any_method(method: str) -> None:
    with served(echo) as port:
        answer = ask(port, "/a", method=method)
        assert answer.body == ("" if method == "HEAD" else f"{method} /a")
        assert answer.headers["Content-Length"] == str(len(f"{method} /a"))


@pytest.mark.parametrize(
    ("method", "body", "read"),
    [
        (b"PUT", b"12", b"<12>"),
        (b"PUT", b"1" * 1024, b"<" + b"1" * 1024 + b">"),
        (b"PUT", b"1" * 1025, b"<>"),
        (b"POST", b"12", b"<>"),
        (b"POST", b"1" * 100_000, b"<>"),
    ],
)
def test_a_short_body_is_read_of_a_put_only_and_no_other_hurts(method: bytes, body: bytes, read: bytes) -> None:
    length = str(len(body)).encode()
    with served(echo_body) as port, dialled(port) as sock:
        sock.sendall(method + b" /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n" + body[:1])
        sock.sendall(body[1:])
        received = read_all(sock)
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Connection: close" in received
        assert received.endswith(b"\r\n\r\n" + read)


def test_an_answer_that_takes_many_writes() -> None:
    with served(large) as port, dialled(port) as sock:
        sock.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        # Others are served while this one takes its time.
        assert ask(port, "/small").body == "GET /small"
        assert len(read_all(sock)) > len(LARGE)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505 HTTP Version Not Supported"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 17_000, b"431 Request Header Fields Too Large"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4_000 + b"\r\n", b"431 Request Header Fields Too Large"),
        (b"\r\n" * 10_000, b"431 Request Header Fields Too Large"),
    ],
    ids=["nonsense", "http2", "long-header", "many-headers", "empty-lines"],
)
def test_garbage_is_refused_and_the_connection_closed(data: bytes, status: bytes) -> None:
    with served(echo) as port, dialled(port) as sock:
        sock.sendall(data)
        received = read_all(sock)
        assert received.startswith(b"HTTP/1.1 " + status)
        assert b"Connection: close" in received
        assert ask(port, "/").status == 200


def test_a_page_that_fails_says_so_and_harms_no_other() -> None:
    def fail(request: Request) -> Response:
        if request.path == "/bad":
            raise ValueError("as always")
        return echo(request)

    with served(fail) as port:
        assert ask(port, "/bad").status == 500
        assert ask(port, "/good").body == "GET /good"


@pytest.mark.parametrize(
    ("limits", "request_line", "bytes_read"),
    [
        (ClientLimits(request=0.1), b"", None),
        (ClientLimits(request=0.1), b"GET / HTTP/1.1\r\nHost:", None),
        (ClientLimits(request=0.1), b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12", None),
        (ClientLimits(idle=0.1), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
        (ClientLimits(linger=0.1), b"GET / HTTP/1.0\r\n\r\n", None),
        (ClientLimits(answer=0.1), b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", 1),
    ],
    ids=["silent", "half-a-request", "half-a-body", "idle", "stays-after-the-last-answer", "takes-no-answer"],
)
def test_limits_end_a_connection(limits: ClientLimits, request_line: bytes, bytes_read: int | None) -> None:
    before = descriptors()
    with served(large, limits=limits) as port:
        serving = descriptors()
        with dialled(port) as sock:
            sock.sendall(request_line)
            # Reading, in one case not to the end, shows that the server has accepted.
            if bytes_read:
                assert sock.recv(bytes_read)
            else:
                read_all(sock)
            wait_until(lambda: len(descriptors() - serving) == 1, "only our own side of the connection is open")
            assert ask(port, "/").status == 200
    assert descriptors() <= before


def trickle(sock: socket.socket) -> None:
    for _ in range(2_000):
        sock.sendall(b"x")
        time.sleep(0.01)


def test_a_trickle_does_not_extend_patience() -> None:
    limits = ClientLimits(request=0.2)
    with served(echo, limits=limits) as port, dialled(port) as sock, pytest.raises(ConnectionError):
        trickle(sock)


def test_those_who_only_hold_connections_throw_each_other_out() -> None:
    with served(echo, connection_limits=ConnectionLimits(per_listener=8)) as port, ExitStack() as held:
        socks = [held.enter_context(dialled(port)) for _ in range(50)]
        for sock in socks:
            sock.sendall(b"GET / HTTP/1.1\r\n")
        assert [ask(port, f"/{number}").status for number in range(20)] == [200] * 20
        # The first ones are gone for certain.
        assert read_all(socks[0]) == b""


def test_a_client_that_asks_outlives_those_that_do_not() -> None:
    with served(echo, connection_limits=ConnectionLimits(per_listener=4)) as port, ExitStack() as held:
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        asking.connect()
        own = asking.sock.getsockname()
        for number in range(12):
            held.enter_context(dialled(port))
            asking.request("GET", f"/{number}")
            assert asking.getresponse().read() == f"GET /{number}".encode()
        assert asking.sock.getsockname() == own
        asking.close()


class Exhausted:
    """A listening socket whose first accepts find no descriptor left."""

    def __init__(self, sock: socket.socket, failures: int) -> None:
        self.sock = sock
        self.failures = failures
        self.asked: list[float] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.sock, name)

    def accept(self) -> tuple[socket.socket, object]:
        self.asked.append(time.monotonic())
        if self.failures:
            self.failures -= 1
            raise OSError(24, "Too many open files")
        return self.sock.accept()


def test_running_out_of_descriptors_is_no_busy_loop_and_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pykubeproxy.web.server._RECOVERY", 0.05)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    exhausted = Exhausted(sock, failures=3)
    with running() as web:
        web.call(lambda: web.add(Listener(exhausted, echo)))  # type: ignore[arg-type]
        assert ask(sock.getsockname()[1], "/").status == 200
        assert exhausted.failures == 0
        assert all(later - earlier >= 0.05 for earlier, later in pairwise(exhausted.asked))


def test_stop_closes_everything_at_once() -> None:
    before = descriptors()
    threads = threading.active_count()
    with ExitStack() as held:
        start = 0.0
        with served(large) as port:
            socks = [held.enter_context(dialled(port)) for _ in range(20)]
            for sock in socks[:10]:
                sock.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert ask(port, "/").status == 200
            start = time.monotonic()
        # Far less than it would wait for any of these clients.
        assert time.monotonic() - start < ClientLimits().request / 2
        assert not is_listening(port)
        assert threading.active_count() == threads
    assert descriptors() <= before


def test_a_removed_listener_takes_its_connections_along() -> None:
    with running() as web:
        gone, stays = listening(web, echo), listening(web, echo)
        with dialled(gone.port) as one, dialled(stays.port) as other:
            for sock in (one, other):
                sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert sock.recv(1000).startswith(b"HTTP/1.1 200")
            web.call(lambda: web.remove(gone))
            assert read_all(one) == b""
            assert not is_listening(gone.port)
            other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert other.recv(1000).startswith(b"HTTP/1.1 200")


def test_an_idle_thread_uses_no_cpu() -> None:
    with served(echo) as port:
        assert ask(port, "/").status == 200
        start = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - start < 0.1
