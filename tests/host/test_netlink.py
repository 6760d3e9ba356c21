"""The netlink protocol: attributes, dumps and batches, against the kernel and against a made-up one."""

import errno
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pykubeproxy.host.conntrack import ConntrackTable
from pykubeproxy.host.conntrack_wire import DELETE, NEW
from pykubeproxy.host.netlink import (
    NETFILTER,
    ROUTE,
    DumpInterrupted,
    Netlink,
    NetlinkError,
    RefusedRequest,
    attribute,
    nested,
    parse_attributes,
)
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol
from tests.host.flows import CREATE_EXCLUSIVELY, connection, insert
from tests.host.namespace import namespace, needs_root

HEADER = struct.Struct("=IHHII")
DONE, ERROR, OBJECT = 3, 2, 20
MULTI, INTERRUPTED = 0x02, 0x10


def test_attributes_are_padded_and_may_nest() -> None:
    inner = attribute(1, b"\x11"), attribute(2, b"\x00\x35")
    packed = nested(3, *inner) + attribute(4, b"name\0")
    assert len(packed) % 4 == 0
    found = parse_attributes(packed)
    assert found.keys() == {3, 4}
    assert found[4] == b"name\0"
    assert parse_attributes(found[3]) == {1: b"\x11", 2: b"\x00\x35"}
    assert parse_attributes(b"head" + packed, 4) == found


@pytest.mark.parametrize("data", [b"", b"\x08", b"\x08\x00\x01\x00ab", b"\x03\x00\x01\x00", b"\x00\x00\x00\x00"])
def test_attributes_that_are_none(data: bytes) -> None:
    assert parse_attributes(data) == {}
    assert parse_attributes(attribute(1, b"kept") + data) == {1: b"kept"}


class Kernel:
    """The other end of a socket, which answers what a test puts in beforehand."""

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.netlink = Netlink(ROUTE)
        self.netlink.close()
        self.netlink._socket = ours

    def answers(self, *messages: tuple[int, int, bytes], sequence: int = 1) -> None:
        """Send one datagram of messages: type, flags, body."""
        datagram = b"".join(
            HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body + bytes(-len(body) % 4)
            for kind, flags, body in messages
        )
        self._theirs.send(datagram)

    def close(self) -> None:
        self.netlink.close()
        self._theirs.close()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    yield made
    made.close()


def result(number: int) -> bytes:
    return struct.pack("=i", -number)


def test_a_dump_of_several_datagrams(kernel: Kernel) -> None:
    kernel.answers((OBJECT, MULTI, b"belated"), sequence=77)
    kernel.answers((OBJECT, MULTI, b"a"), (OBJECT, MULTI, b"bcdef"))
    kernel.answers((OBJECT, MULTI, b"g"), (DONE, MULTI, result(0)))
    assert [message.body for message in kernel.netlink.dump("list", OBJECT, b"")] == [b"a", b"bcdef", b"g"]


def test_an_interrupted_dump_says_so_at_its_end(kernel: Kernel) -> None:
    kernel.answers((OBJECT, MULTI | INTERRUPTED, b"a"), (DONE, MULTI, result(0)))
    dump = kernel.netlink.dump("list", OBJECT, b"")
    assert next(dump).body == b"a"
    with pytest.raises(DumpInterrupted):
        next(dump)


def test_an_interrupted_dump_is_repeated(kernel: Kernel) -> None:
    kernel.answers((OBJECT, MULTI | INTERRUPTED, b"a"), (DONE, MULTI, result(0)), sequence=1)
    kernel.answers((OBJECT, MULTI, b"b"), (DONE, MULTI, result(0)), sequence=2)
    assert [message.body for message in kernel.netlink.dump_all("list", OBJECT, b"")] == [b"b"]


@pytest.mark.parametrize("kind", [DONE, ERROR])
def test_a_dump_that_is_refused(kernel: Kernel, kind: int) -> None:
    kernel.answers((kind, 0, result(errno.EPERM)))
    with pytest.raises(NetlinkError, match=r"cannot list: Operation not permitted \(netlink\): run as root") as caught:
        list(kernel.netlink.dump("list", OBJECT, b""))
    assert caught.value.number == errno.EPERM


@needs_root
def test_a_batch_tells_which_requests_were_refused() -> None:
    """Of more requests than one system call takes, those that insert what is there already."""
    present = [connection(f"10.0.0.1:{port}", "10.0.0.2:53", "10.0.0.2:53") for port in range(1, 300)]
    everything = [connection(f"10.0.0.1:{port}", "10.0.0.2:53", "10.0.0.2:53") for port in range(200, 500)]

    def scenario() -> list[RefusedRequest]:
        insert(present)
        with Netlink(NETFILTER) as netlink:
            return netlink.batch("insert", NEW, everything, CREATE_EXCLUSIVELY)

    with namespace() as node:
        assert node.run(scenario) == [RefusedRequest(position, errno.EEXIST) for position in range(100)]
        assert node.run(lambda: sum(1 for _ in ConntrackTable().flows(Family.IPV4, Protocol.UDP))) == 499


@needs_root
def test_a_batch_of_nothing_asks_nothing() -> None:
    with Netlink(NETFILTER) as netlink:
        assert netlink.batch("delete", DELETE, []) == []


UNPRIVILEGED = """
import os
os.setuid(65534)
from pykubeproxy.host.conntrack import ConntrackTable
from pykubeproxy.model.ip import Family
from pykubeproxy.flows.stale import FlowCheck
ConntrackTable().remove_stale(FlowCheck(family=Family.IPV4, retired=frozenset({b"x"})))
"""


@needs_root
def test_without_permission() -> None:
    preloaded = "import pykubeproxy.host.conntrack, pykubeproxy.flows.stale\n"
    code = preloaded + UNPRIVILEGED
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    expected = "cannot list IPv4 connections: Operation not permitted (netlink): run as root, or with CAP_NET_ADMIN"
    assert expected in done.stderr.splitlines()[-1]
