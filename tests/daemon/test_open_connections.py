"""Clients that keep their sockets while endpoints change: UDP flows follow the Service, TCP if that is asked for."""

import socket
import sys
import time
from collections.abc import Iterator

import pytest

from e2e.proxies import FLAGS
from pykubeproxy.flows.gone import GRACE_SECONDS
from tests.apiserver import testing
from tests.daemon.node import NAME, WEB, Daemon, Node
from tests.daemon.traffic import PORT, Client, answering, lay_out

DNS = "10.96.0.10"
OLD, NEW = "10.244.0.5", "10.244.0.6"


@pytest.fixture(autouse=True)
def pods(node: Node) -> Iterator[None]:
    lay_out(node, OLD, NEW)
    node.serve(OLD)
    with answering(node, OLD, NEW):
        yield


def dns_slice(endpoint: str) -> testing.JsonObject:
    return testing.endpoint_slice("dns", endpoint, ports=[{"name": "dns", "port": PORT, "protocol": "UDP"}])


def once(node: Node) -> Daemon:
    """Sync once, and wait for the end."""
    source = (f"--kubeconfig={node.kubeconfig}", f"--hostname-override={NAME}")
    daemon = node.run(sys.executable, "-m", "pykubeproxy", "run", "--once", *source, *FLAGS)
    assert daemon.wait_ended() == 0, daemon.log
    return daemon


def test_a_udp_flow_whose_endpoint_went_while_nobody_looked_is_forgotten(node: Node) -> None:
    port = {"name": "dns", "port": 53, "targetPort": PORT, "protocol": "UDP"}
    node.api.create(testing.service("dns", clusterIP=DNS, ports=[port]))
    node.api.create(dns_slice(OLD))
    once(node)
    with Client(node, DNS, 53, socket.SOCK_DGRAM) as udp:
        assert udp.ask() == OLD
        node.api.apply(dns_slice(NEW))
        assert udp.ask() == OLD, "without a daemon, the flow goes on"
        assert once(node).told("stale UDP flows removed", flows=1)
        assert udp.ask() == NEW


@pytest.mark.parametrize(("flags", "answer"), [(("--end-established-tcp",), "reset"), ((), OLD)])
def test_a_connection_whose_endpoint_is_gone(node: Node, flags: tuple[str, ...], answer: str) -> None:
    daemon = node.start(*flags).wait_synced()
    with (
        Client(node, WEB, 80, socket.SOCK_STREAM) as by_service,
        Client(node, OLD, PORT, socket.SOCK_STREAM) as directly,
    ):
        assert by_service.ask() == directly.ask() == OLD
        node.move(NEW)
        if answer == "reset":
            assert daemon.wait_told("connections to endpoints that are gone were ended")[0]["connections"] == 1
        else:
            time.sleep(GRACE_SECONDS + 2)
        assert by_service.ask() == answer
        assert directly.ask() == OLD, "no Service led there"
    with Client(node, WEB, 80, socket.SOCK_STREAM) as again:
        assert again.ask() == NEW
