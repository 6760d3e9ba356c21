"""The health and metrics servers on real ports: which addresses, what if a port is taken, and a clean end."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pykubeproxy.config.defaults import DEFAULTS
from pykubeproxy.model.node import Node
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.pages import HealthPages, MetricsPages
from pykubeproxy.observe.servers import Addresses, ServerFailed, Servers
from tests.explain.status.nodes import STATUS
from tests.kernel.machine import wait_until
from tests.observe.client import ask, descriptors, free_port, is_listening


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() <= before


@contextmanager
def running(addresses: Addresses) -> Iterator[Servers]:
    metrics, health = Metrics(), ProxyHealth(60)
    health.saw_node(Node(name="n1"))
    servers = Servers(
        addresses,
        health,
        health_pages=HealthPages(health, metrics),
        metrics_pages=MetricsPages(metrics, DEFAULTS, {}, lambda: STATUS),
        on_check_failed=lambda _: None,
    )
    servers.start()
    try:
        yield servers
    finally:
        servers.stop()


def port_of(servers: Servers, name: str) -> int:
    port = servers.port(name)
    assert port is not None
    return port


@pytest.mark.parametrize(
    ("address", "answers_on"),
    [
        ("0.0.0.0:0", {"127.0.0.1", "::1"}),
        ("[::]:0", {"127.0.0.1", "::1"}),
        ("127.0.0.1:0", {"127.0.0.1"}),
        ("[::1]:0", {"::1"}),
    ],
)
def test_listens_on_an_address_that_can_be_taken_again_at_once(address: str, answers_on: set[str]) -> None:
    with running(Addresses(health=address, metrics="")) as servers:
        assert servers.port("metrics") is None, "an empty address is no server"
        port = port_of(servers, "healthz")
        assert {host for host in ("127.0.0.1", "::1") if is_listening(port, host)} == answers_on
    assert not any(is_listening(port, host) for host in answers_on)
    with running(Addresses(health=f"{address.removesuffix('0')}{port}", metrics="", hard_fail=True)):
        assert ask(port, "/livez", host=min(answers_on)).status == 200


def test_without_ipv6_an_unspecified_address_is_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def refuse_ipv6(family: int, *kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *kind)

    monkeypatch.setattr("pykubeproxy.web.binding.socket.socket", refuse_ipv6)
    with running(Addresses(health="[::]:0", metrics="")) as servers:
        monkeypatch.undo()
        assert ask(port_of(servers, "healthz"), "/livez").status == 200


def test_each_server_has_its_own_pages() -> None:
    with running(Addresses(health="127.0.0.1:0", metrics="127.0.0.1:0")) as servers:
        health, metrics = port_of(servers, "healthz"), port_of(servers, "metrics")
        answer = ask(health, "/healthz?x=y", method="POST")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert list(json.loads(answer.body)) == ["lastUpdated", "currentTime", "nodeEligible", "healthy", "status"]
        assert ask(metrics, "/healthz").body == "ok"
        for port, path in ((health, "/metrics"), (health, "/"), (metrics, "/livez")):
            answer = ask(port, path)
            assert (answer.status, answer.body) == (404, "404 page not found\n")
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        counted = [line for line in ask(metrics, "/metrics").body.splitlines() if line.startswith("kubeproxy_proxy_")]
        assert counted == ['kubeproxy_proxy_healthz_total{code="200"} 1']


def test_a_port_that_is_taken_is_tried_again() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as taken:
        addresses = Addresses(health=f"0.0.0.0:{port}", metrics="127.0.0.1:0", retry_seconds=0.02)
        with running(addresses) as servers:
            assert servers.port("healthz") is None
            # The other server does not wait for it.
            assert ask(port_of(servers, "metrics"), "/healthz").status == 200
            taken.close()
            wait_until(lambda: servers.port("healthz") == port, "the port was free, and has been taken")
            assert ask(port, "/livez").status == 200


@pytest.mark.parametrize(
    ("addresses", "server", "words"),
    [
        ({"health": "TAKEN"}, "healthz", "healthz server failed: listen tcp TAKEN: bind: address already in use"),
        ({"metrics": "TAKEN"}, "metrics", "listen tcp TAKEN: bind: address already in use"),
        (
            {"health": "[2001:db8::1]:1"},
            "healthz",
            "healthz server failed: listen tcp [2001:db8::1]:1: bind: cannot assign requested address",
        ),
    ],
)
def test_an_address_that_cannot_be_had_is_fatal(addresses: dict[str, str], server: str, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        wanted = {name: text.replace("TAKEN", address) for name, text in addresses.items()}
        failing = Addresses(**{"health": "127.0.0.1:0", "metrics": "", **wanted}, hard_fail=True)  # type: ignore[arg-type]
        with pytest.raises(ServerFailed) as caught, running(failing):
            pass
        assert (str(caught.value), caught.value.server) == (words.replace("TAKEN", address), server)
