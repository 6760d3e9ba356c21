"""Clients that go on with their sockets while endpoints change: UDP flows follow the Service, TCP is left alone."""

import socket
import sys
from collections.abc import Iterator

import pytest

from e2e.proxies import FLAGS
from tests.apiserver import testing
from tests.apiserver.server import ApiServer
from tests.daemon.node import NAME, Daemon, Node
from tests.daemon.traffic import PORT, SILENCE_SECONDS, Client, answering, lay_out

DNS, WEB = "10.96.0.10", "10.96.0.20"
PODS = ("10.244.0.5", "10.244.0.6")
DELETED = 'kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"}'


def dns_slice(*endpoints: str) -> testing.JsonObject:
    return testing.endpoint_slice("dns", *endpoints, ports=[{"name": "dns", "port": PORT, "protocol": "UDP"}])


def create_services(api: ApiServer, *endpoints: str) -> None:
    port = {"name": "dns", "port": 53, "targetPort": PORT, "protocol": "UDP"}
    api.create(testing.service("dns", clusterIP=DNS, ports=[port]))
    api.create(dns_slice(*endpoints))
    api.create(testing.service("web", clusterIP=WEB))
    api.create(testing.endpoint_slice("web", *endpoints))


@pytest.fixture(autouse=True)
def pods(node: Node) -> Iterator[None]:
    lay_out(node, *PODS)
    with answering(node, *PODS):
        yield


def test_a_service_deleted_while_nobody_looked(node: Node) -> None:
    api = node.api
    create_services(api, PODS[0])
    node.start().wait_synced().end()
    with Client(node, DNS, 53, socket.SOCK_DGRAM) as udp, Client(node, WEB, 80, socket.SOCK_STREAM) as tcp:
        assert udp.ask() == tcp.ask() == PODS[0]
        api.delete("Service", "default", "dns")
        assert udp.ask() == PODS[0], "without a daemon, the flow goes on"
        daemon = node.start()
        wait_for(daemon, udp, "", "the Service is gone")
        assert tcp.ask() == PODS[0]


def test_a_single_sync_forgets_them_too(node: Node) -> None:
    api = node.api
    create_services(api, PODS[0])
    once(node)
    with Client(node, DNS, 53, socket.SOCK_DGRAM) as udp:
        assert udp.ask() == PODS[0]
        api.apply(dns_slice(PODS[1]))
        assert once(node).told("stale UDP flows removed", flows=1)
        assert udp.ask() == PODS[1]


def once(node: Node) -> Daemon:
    """Sync once, and wait for the end."""
    source = (f"--kubeconfig={node.kubeconfig}", f"--hostname-override={NAME}")
    daemon = node.run(sys.executable, "-m", "pykubeproxy", "run", "--once", *source, *FLAGS)
    assert daemon.wait_ended() == 0, daemon.log
    return daemon


def wait_for(daemon: Daemon, client: Client, answer: str, why: str) -> None:
    """Go on asking until the answer changes to what it should be; a question that was lost meanwhile is asked again."""
    daemon.wait(lambda: client.ask(SILENCE_SECONDS) == answer, f"answers from {answer or 'nobody'}, since {why}")
