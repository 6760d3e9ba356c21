"""Health-check ports of Services: opened, closed and answered as Services change; the rows of the upstream test."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.observe.check_server import CheckServer, HealthCheckFailed
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.rules.service_traffic import HealthCheck
from pykubeproxy.web.server import WebThread
from tests.observe.client import SECONDS, Ticking, ask, descriptors, dialled, free_port, is_listening, read_all

ONE, TWO, THREE, FOUR = (ServiceKey("ns", name) for name in ("one", "two", "three", "four"))
LOCAL = ("127.0.0.1",)


@pytest.fixture
def web() -> Iterator[WebThread]:
    before = descriptors()
    thread = WebThread()
    thread.start()
    yield thread
    thread.stop()
    assert descriptors() <= before


class Served:
    """A CheckServer of which one waits until it has done what it was asked for."""

    def __init__(self, web: WebThread, health: ProxyHealth | None = None, family: Family = Family.IPV4) -> None:
        self._web = web
        self._failed: list[HealthCheckFailed] = []
        self.server = CheckServer(family, web, health, self._failed.append)

    def serve(
        self, checks: dict[ServiceKey, tuple[int, int]], addresses: tuple[str, ...] | None
    ) -> tuple[HealthCheckFailed, ...]:
        """What could not be served, and is told now; `checks` are ports and numbers of endpoints."""
        self._failed.clear()
        made = {key: HealthCheck(port=port, local_endpoints=count) for key, (port, count) in checks.items()}
        self.server.serve(made, addresses)
        self._web.call(lambda: None)
        return tuple(self._failed)


@pytest.fixture
def server(web: WebThread) -> Served:
    return Served(web, ProxyHealth(60))


def seen(port: int, host: str = "127.0.0.1") -> tuple[int, str, str, int]:
    """(status, Service, weight, localEndpoints) as a load balancer sees them."""
    answer = ask(port, "/any/path?at=all", host=host)
    body = json.loads(answer.body)
    name = f"{body['service']['namespace']}/{body['service']['name']}"
    return answer.status, name, answer.headers["X-Load-Balancing-Endpoint-Weight"], body["localEndpoints"]


def assert_answers(sock: socket.socket) -> None:
    sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert sock.recv(4096).startswith(b"HTTP/1.1 200")


def test_several_services_come_and_go(server: Served) -> None:
    ports = [free_port() for _ in range(5)]
    server.serve({ONE: (ports[0], 1), TWO: (ports[1], 2), THREE: (ports[2], 0)}, LOCAL)
    assert [seen(port)[:2] for port in ports[:3]] == [(200, "ns/one"), (200, "ns/two"), (503, "ns/three")]
    with dialled(ports[0]) as kept, dialled(ports[1]) as cut:
        assert_answers(kept)
        assert_answers(cut)
        server.serve({ONE: (ports[0], 1), THREE: (ports[3], 7), FOUR: (ports[4], 9)}, LOCAL)
        assert read_all(cut) == b""
        assert_answers(kept)
    assert [is_listening(port) for port in ports] == [True, False, False, True, True]
    assert [seen(ports[index])[1:3] for index in (0, 3, 4)] == [("ns/one", "1"), ("ns/three", "7"), ("ns/four", "9")]
    assert server.serve({THREE: (ports[0], 2), ONE: (ports[3], 3)}, LOCAL) == (), "ports may pass from one to another"
    assert (seen(ports[0])[1], seen(ports[3])[1]) == ("ns/three", "ns/one")


def test_an_unhealthy_proxy_is_said_to_be(web: WebThread) -> None:
    clock = Ticking()
    health = ProxyHealth(60, clock)
    port, without = free_port(), free_port()
    Served(web, health).serve({ONE: (port, 3)}, None)
    Served(web).serve({ONE: (without, 3)}, None)
    health.updated(Family.IPV6)
    health.queued(Family.IPV6)
    assert seen(port)[0] == 200
    clock.seconds = 60
    answer = ask(port)
    assert (answer.status, answer.headers["X-Load-Balancing-Endpoint-Weight"]) == (503, "3")
    assert json.loads(answer.body)["serviceProxyHealthy"] is False
    assert json.loads(ask(without).body)["serviceProxyHealthy"] is True, "of no health server nobody knows anything"


def test_a_port_that_is_taken_is_tried_with_every_sync(server: Served) -> None:
    good = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        checks = {ONE: (port, 1), TWO: (good, 1)}
        (failure,) = server.serve(checks, LOCAL)
        assert (failure.service, failure.port) == (ONE, port)
        assert failure.note("n1") == (
            f'node n1 failed to start healthcheck "ns/one" on port {port}: '
            f"listen tcp4 127.0.0.1:{port}: bind: address already in use"
        )
        assert seen(good)[:2] == (200, "ns/two")
        assert server.serve(checks, LOCAL) == (), "it is told once"
        assert not server.server.serves_all
    assert server.serve(checks, LOCAL) == ()
    assert server.server.serves_all
    assert seen(port)[:2] == (200, "ns/one")


@pytest.mark.filterwarnings("error")  # a socket left to the garbage collector is one that somebody forgot
def test_no_address_of_a_service_stays_open_if_one_fails(server: Served) -> None:
    port = free_port()
    (failure,) = server.serve({ONE: (port, 1)}, ("127.0.0.1", "192.0.2.77"))
    assert "listen tcp4 192.0.2.77:" in failure.error
    assert not is_listening(port)


def test_moves_to_other_addresses_and_only_then(server: Served) -> None:
    port = free_port()

    def answers_on(addresses: tuple[str, ...] | None) -> list[bool]:
        assert server.serve({ONE: (port, 1)}, addresses) == ()
        return [is_listening(port, host) for host in ("127.0.0.1", "127.0.0.2")]

    assert answers_on(LOCAL) == [True, False]
    with dialled(port) as kept:
        assert answers_on(LOCAL) == [True, False]
        assert_answers(kept)
        assert answers_on(("127.0.0.2",)) == [False, True]
        assert read_all(kept) == b""
    assert answers_on(None) == [True, True]
    assert answers_on(()) == [False, False]


def test_both_families_serve_the_same_port_with_counts_of_their_own(web: WebThread) -> None:
    port = free_port()
    for family, count in ((Family.IPV4, 4), (Family.IPV6, 6)):
        assert Served(web, family=family).serve({ONE: (port, count)}, None) == ()
    assert (seen(port)[3], seen(port, "::1")[3]) == (4, 6)


def test_nobody_waits_for_a_web_thread_that_is_busy(web: WebThread) -> None:
    """Syncs go on meanwhile, and what they want last is what is served in the end."""
    server, may_go_on, is_busy = Served(web).server, threading.Event(), threading.Event()
    ports = [free_port() for _ in range(3)]

    def hang() -> None:
        is_busy.set()
        may_go_on.wait(SECONDS)

    web.post(hang)
    assert is_busy.wait(SECONDS)
    for _ in range(2000):
        for port in ports:
            server.serve({ONE: HealthCheck(port=port, local_endpoints=1)}, LOCAL)
    assert not server.serves_all
    assert web._calls.qsize() == 1, "asked for once"
    may_go_on.set()
    web.call(lambda: None)
    assert server.serves_all
    assert [is_listening(port) for port in ports] == [False, False, True]
