"""Whoever can reach the node may talk to the health servers: rude clients do not get in the way of others, or of syncs.

The same of the web thread by itself, with each limit and time-out: `tests/web/test_web_thread.py`.
"""

import contextlib
import socket
import struct
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.apiserver import testing
from tests.chaos.bed import memory
from tests.daemon.node import HEALTHZ, METRICS, NAME, Daemon, Node

CHECK = 32066
PORTS = (HEALTHZ, METRICS, CHECK)
SIEGE = Path(__file__).with_name("siege.py")
HELD = 200  # connections that are held open at the same time, to each port
ROOM = 256  # connections that all servers together have room for
ASKED = 20
BOUND = 5.0  # what kubelet waits for the answer to a probe, as manifests/overlays/replace has it
SECONDS = 15.0

ASKING = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
RUDE: dict[str, bytes] = {
    "nothing": b"",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x7f" * 500,
    "huge-header": b"GET / HTTP/1.1\r\nHost: " + b"y" * 2_000_000 + b"\r\n\r\n",
    "huge-body": b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n" + b"z" * 2_000_000,
    "endless-chunks": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nz\r\n" * 100_000,
    "pipelined": ASKING * 1000,
    "many-parameters": b"GET /healthz?" + b"a&" * 7000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "escapes": b"GET /%0a%0d%1b[2J%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.fixture
def daemon(node: Node) -> Iterator[Daemon]:
    node.api.create(testing.node(NAME, "192.0.2.1"))
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30066}]
    policy = {"externalTrafficPolicy": "Local", "healthCheckNodePort": CHECK}
    made = testing.service("web", clusterIP="10.96.0.20", type="LoadBalancer", ports=ports)
    node.api.create(made | {"spec": made["spec"] | policy})
    its = node.start().wait_synced()
    follows(node, its, "10.244.0.5")
    its.wait(lambda: all(fine(its, port) for port in PORTS), "all servers")
    yield its
    assert not its.told("", level="error")
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


def ask_in_time(daemon: Daemon, times: int) -> None:
    """Ask every server, which must answer each time, within what a probe waits."""
    for port in PORTS * times:
        begun = time.monotonic()
        assert fine(daemon, port)
        assert time.monotonic() - begun < BOUND


def test_hundreds_of_slow_clients_hold_up_nobody(node: Node, daemon: Daemon) -> None:
    """Each sends a byte at a time; those that are thrown out come back at once."""
    ask_in_time(daemon, ASKED)
    (threads, files), before = daemon.resources(), memory(daemon.process.pid)
    siege = node.machine.popen([sys.executable, "-IS", str(SIEGE), str(HELD), *map(str, PORTS)])
    try:
        daemon.wait(lambda: daemon.resources()[1] > files + 100, "a siege")
        assert HELD * len(PORTS) > 2 * ROOM
        for turn in range(3):
            ask_in_time(daemon, ASKED)
            follows(node, daemon, f"10.244.0.{6 + turn}")
            assert daemon.resources()[0] <= threads
            assert daemon.resources()[1] <= files + ROOM + 10
        assert memory(daemon.process.pid) < 1.3 * before
        assert siege.poll() is None, "the siege has lasted until the end"
    finally:
        siege.communicate(timeout=SECONDS)
    daemon.wait(lambda: daemon.resources()[1] <= files, "all connections closed")


def test_rude_requests_are_refused_and_harm_nobody(node: Node, daemon: Daemon) -> None:
    before = memory(daemon.process.pid)
    for port in PORTS:
        for name, data in RUDE.items():
            answer = node.inside(lambda port=port, data=data: say(port, data))  # type: ignore[misc]
            assert answer == b"" or answer.startswith(b"HTTP/1.1 "), name
            assert answer.count(b"HTTP/1.1 ") <= 1, f"{name}: what is sent ahead is not answered"
            assert b"\x1b" not in answer, name
        node.inside(lambda port=port: break_off(port, 100))  # type: ignore[misc]
        ask_in_time(daemon, 1)
    follows(node, daemon, "10.244.0.9")
    assert memory(daemon.process.pid) < 1.3 * before


def say(port: int, data: bytes) -> bytes:
    """Send all that the server takes, and return what it says until it closes the connection."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock, ThreadPoolExecutor(1) as sender:
        sender.submit(send, sock, data)
        with contextlib.suppress(ConnectionError):
            while piece := sock.recv(65536):
                received += piece
    return received


def send(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def break_off(port: int, times: int) -> None:
    """Ask, and be gone with a reset before the answer has been read."""
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(ASKING)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
