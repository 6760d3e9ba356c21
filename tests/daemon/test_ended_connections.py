"""Clients that hold a TCP connection while its endpoint goes for good: with `--end-established-tcp` they hear of it."""

import socket
from collections.abc import Iterator

import pytest

from pykubeproxy.flows.gone import GRACE_SECONDS
from tests.apiserver import testing
from tests.daemon.node import Node
from tests.daemon.traffic import PORT, SILENCE_SECONDS, Client, answering, lay_out

WEB, DIRECT = "10.96.0.20", "10.244.0.5"
OLD, NEW = "10.244.0.5", "10.244.0.6"
ENDED = "connections to endpoints that are gone were ended"


@pytest.fixture(autouse=True)
def pods(node: Node) -> Iterator[None]:
    lay_out(node, OLD, NEW)
    with answering(node, OLD, NEW):
        yield


def create_service(node: Node) -> None:
    node.api.create(testing.service("web", clusterIP=WEB))
    node.api.create(testing.endpoint_slice("web", OLD))


def test_a_connection_is_reset_once_its_endpoint_is_gone(node: Node) -> None:
    create_service(node)
    daemon = node.start("--end-established-tcp").wait_synced()
    with (
        Client(node, WEB, 80, socket.SOCK_STREAM) as by_service,
        Client(node, DIRECT, PORT, socket.SOCK_STREAM) as directly,
    ):
        assert by_service.ask() == directly.ask() == OLD
        node.api.apply(testing.endpoint_slice("web", NEW))
        assert daemon.wait_told(ENDED)[0]["connections"] == 1
        assert by_service.ask() == "reset"
        assert directly.ask() == OLD, "no Service led there"
    with Client(node, WEB, 80, socket.SOCK_STREAM) as again:
        assert again.ask() == NEW


def test_without_the_option_it_goes_on(node: Node) -> None:
    create_service(node)
    daemon = node.start().wait_synced()
    with Client(node, WEB, 80, socket.SOCK_STREAM) as client:
        assert client.ask() == OLD
        node.api.apply(testing.endpoint_slice("web", NEW))
        for _ in range(int(GRACE_SECONDS / SILENCE_SECONDS) + 2):
            assert client.ask() == OLD
        assert not daemon.told(ENDED)
