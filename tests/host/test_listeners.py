"""Which ports processes of this node listen on."""

import socket
from pathlib import Path

from pykubeproxy.host.listeners import listening_ports


def test_a_socket_that_waits_for_anybody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        tcp, udp = server.getsockname()[1], datagrams.getsockname()[1]
        assert tcp in listening_ports("tcp")
        assert udp in listening_ports("udp")
        with socket.create_connection(("127.0.0.1", tcp)) as client:
            assert client.getsockname()[1] not in listening_ports("tcp"), "it waits for nobody else"
    assert tcp not in listening_ports("tcp")


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    assert listening_ports("tcp", tmp_path) == listening_ports("sctp") == frozenset()
