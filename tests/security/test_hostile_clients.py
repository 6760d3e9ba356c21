"""Whoever can reach the node may talk to the health servers: rude clients do not get in the way of others, or of syncs.

The same of the web thread by itself, with each limit and time-out: `tests/web/test_web_thread.py`.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver import testing
from tests.daemon.node import HEALTHZ, METRICS, NAME, Daemon, Node
from tests.security.rude import HELD, RUDE, besieged, break_off, say

CHECK = 32066
PORTS = (HEALTHZ, METRICS, CHECK)
ROOM = 256
"""Connections that all servers together have room for."""
ASKED = 20
BOUND = 5.0
"""Seconds: what kubelet waits for the answer to a probe, as manifests/overlays/replace has it."""


@pytest.fixture
def daemon(node: Node) -> Iterator[Daemon]:
    api = node.api
    api.create(testing.node(NAME, "192.0.2.1"))
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30066}]
    api.create(
        testing.service(
            "web",
            clusterIP="10.96.0.20",
            type="LoadBalancer",
            ports=ports,
            externalTrafficPolicy="Local",
            healthCheckNodePort=CHECK,
        )
    )
    its = node.start().wait_synced()
    follows(node, its, "10.244.0.5")
    its.wait(lambda: all(fine(its, port) for port in PORTS), "all servers")
    yield its
    its.end()


def fine(daemon: Daemon, port: int) -> bool:
    """Whether a server gives its usual answer."""
    status, body = daemon.get("/healthz", port)
    return status == 200 and (b"localEndpoints" in body) == (port == CHECK)


def follows(node: Node, daemon: Daemon, endpoint: str) -> None:
    """See to it that rules follow their Service."""
    entry = {"addresses": [endpoint], "conditions": {"ready": True}, "nodeName": NAME}
    node.api.apply(testing.endpoint_slice("web", endpoints=[entry]))
    daemon.wait(lambda: node.sends_to(f"{endpoint}:8080"), f"rules for {endpoint}")


def resident(daemon: Daemon) -> int:
    """KB of memory."""
    lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def ask_in_time(daemon: Daemon, times: int) -> None:
    """Ask every server, which must answer each time, within what a probe waits."""
    for _ in range(times):
        for port in PORTS:
            begun = time.monotonic()
            assert fine(daemon, port)
            assert time.monotonic() - begun < BOUND


def test_hundreds_of_slow_clients_hold_up_nobody(node: Node, daemon: Daemon) -> None:
    ask_in_time(daemon, ASKED)
    (threads, files), memory = daemon.resources(), resident(daemon)
    with besieged(node, PORTS):
        daemon.wait(lambda: daemon.resources()[1] > files + 100, "a siege")
        assert HELD * len(PORTS) > 2 * ROOM
        for turn in range(3):
            ask_in_time(daemon, ASKED)
            follows(node, daemon, f"10.244.0.{6 + turn}")
            assert daemon.resources()[0] <= threads
            assert daemon.resources()[1] <= files + ROOM + 10
        assert resident(daemon) < 1.3 * memory
    daemon.wait(lambda: daemon.resources()[1] <= files, "all connections closed")
    assert not daemon.told("", level="error")


def test_rude_requests_are_refused_and_harm_nobody(node: Node, daemon: Daemon) -> None:
    memory = resident(daemon)
    for port in PORTS:
        for name, data in RUDE.items():
            answer = say(node, port, data)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 "), name
            assert answer.count(b"HTTP/1.1 ") <= 1, f"{name}: what is sent ahead is not answered"
            assert b"\x1b" not in answer, name
        break_off(node, port, 100)
        ask_in_time(daemon, 1)
    follows(node, daemon, "10.244.0.9")
    assert resident(daemon) < 1.3 * memory
    assert not daemon.told("", level="error")
