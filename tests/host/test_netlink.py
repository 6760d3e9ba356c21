"""The netlink protocol: attributes, dumps and batches, against the kernel and against a made-up one."""

import errno
import socket
import struct
from collections.abc import Iterator
from functools import partial

import pytest

from pykubeproxy.host import nfacct
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
from tests.host.namespace import Namespace, needs_root

HEADER = struct.Struct("=IHHII")
DONE, ERROR, OBJECT = 3, 2, 20
MULTI, INTERRUPTED = 0x02, 0x10
END = (DONE, MULTI, struct.pack("=i", 0))


def test_attributes_are_padded_and_may_nest() -> None:
    packed = nested(3, attribute(1, b"\x11"), attribute(2, b"\x00\x35")) + attribute(4, b"name\0")
    assert len(packed) % 4 == 0
    found = parse_attributes(packed)
    assert (set(found), found[4]) == ({3, 4}, b"name\0")
    assert parse_attributes(found[3]) == {1: b"\x11", 2: b"\x00\x35"}
    assert parse_attributes(b"head" + packed, 4) == found


@pytest.mark.parametrize("data", [b"", b"\x08", b"\x08\x00\x01\x00ab", b"\x03\x00\x01\x00", b"\x00\x00\x00\x00"])
def test_attributes_that_are_none(data: bytes) -> None:
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


def test_a_dump_of_several_datagrams(kernel: Kernel) -> None:
    kernel.answers((OBJECT, MULTI, b"belated"), sequence=77)
    kernel.answers((OBJECT, MULTI, b"a"), (OBJECT, MULTI, b"bcdef"))
    kernel.answers((OBJECT, MULTI, b"g"), END)
    assert [message.body for message in kernel.netlink.dump("list", OBJECT, b"")] == [b"a", b"bcdef", b"g"]


def test_an_interrupted_dump_says_so_at_its_end_or_is_repeated(kernel: Kernel) -> None:
    kernel.answers((OBJECT, MULTI | INTERRUPTED, b"a"), END, sequence=1)
    dump = kernel.netlink.dump("list", OBJECT, b"")
    assert next(dump).body == b"a"
    with pytest.raises(DumpInterrupted):
        next(dump)
    kernel.answers((OBJECT, MULTI | INTERRUPTED, b"a"), END, sequence=2)
    kernel.answers((OBJECT, MULTI, b"b"), END, sequence=3)
    assert [message.body for message in kernel.netlink.dump_all("list", OBJECT, b"")] == [b"b"]


@pytest.mark.parametrize("kind", [DONE, ERROR])
def test_a_dump_that_is_refused(kernel: Kernel, kind: int) -> None:
    kernel.answers((kind, 0, struct.pack("=i", -errno.EPERM)))
    with pytest.raises(NetlinkError, match=r"cannot list: Operation not permitted \(netlink\): run as root") as caught:
        list(kernel.netlink.dump("list", OBJECT, b""))
    assert caught.value.number == errno.EPERM


@needs_root
def test_a_batch_tells_which_requests_were_refused(node: Namespace) -> None:
    """Of more requests than one system call takes, those that insert what is there already."""

    def connections(first: int, last: int) -> list[bytes]:
        return [connection(f"10.0.0.1:{port}", "10.0.0.2:53", "10.0.0.2:53") for port in range(first, last)]

    def scenario() -> list[RefusedRequest]:
        insert(connections(1, 300))
        with Netlink(NETFILTER) as netlink:
            assert netlink.batch("delete", DELETE, []) == [], "nothing asks nothing"
            return netlink.batch("insert", NEW, connections(200, 500), CREATE_EXCLUSIVELY)

    assert node.run(scenario) == [RefusedRequest(position, errno.EEXIST) for position in range(100)]
    assert node.run(lambda: sum(1 for _ in ConntrackTable().flows(Family.IPV4, Protocol.UDP))) == 499


@needs_root
def test_a_counter_is_made_once_and_read(node: Namespace) -> None:
    assert node.run(partial(nfacct.packets, "counter")) is None
    try:
        node.run(partial(nfacct.ensure, "counter"))
    except NetlinkError as error:
        pytest.skip(f"this kernel has no nfacct: {error}")
    node.run(partial(nfacct.ensure, "counter"))
    assert node.run(partial(nfacct.packets, "counter")) == 0
    assert node.run(partial(nfacct.packets, "another")) is None


@needs_root
def test_a_counter_s_name_that_the_kernel_does_not_take_is_an_error(node: Namespace) -> None:
    with pytest.raises(NetlinkError, match="cannot make the counter "):
        node.run(partial(nfacct.ensure, "x" * 100))
