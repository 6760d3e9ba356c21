"""The table of connections, and the netlink protocol, against the kernel and against a made-up one."""

import errno
import socket
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pykubeproxy.flows.stale import Flow, FlowCheck
from pykubeproxy.host import nfacct
from pykubeproxy.host.conntrack import ConntrackTable, DeletionResult, ReadOnlyConntrackTable
from pykubeproxy.host.conntrack_usage import conntrack_usage
from pykubeproxy.host.conntrack_wire import DELETE, NEW
from pykubeproxy.host.errors import ReadOnly
from pykubeproxy.host.netlink import (
    DUMP_ATTEMPTS,
    NETFILTER,
    ROUTE,
    DumpInterrupted,
    Netlink,
    NetlinkError,
    RefusedRequest,
)
from pykubeproxy.model.conntrack_usage import ConntrackUsage
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol
from tests.host.flows import CREATE_EXCLUSIVELY, TCP, connection, insert, packed
from tests.host.namespace import Namespace, needs_root

TABLE = ConntrackTable()
DNS, ALIVE, DEAD = "10.96.0.10:53", "10.0.0.1:5353", "10.0.0.9:5353"
ADDRESSES = {
    Family.IPV4: ("10.244.0.7", DNS, ALIVE, DEAD),
    Family.IPV6: ("[fd00:10::7]", "[fd00::10]:53", "[fd00:1::1]:5353", "[fd00:1::9]:5353"),
}
STALE = connection("10.244.0.1:1", DNS, DEAD)


def texts(node: Namespace, family: Family = Family.IPV4) -> list[str]:
    return node.run(lambda: sorted(str(flow) for flow in TABLE.flows(family, Protocol.UDP)))


def check(frontend: str, *serving: str, family: Family = Family.IPV4) -> FlowCheck:
    return FlowCheck(family=family, serving={packed(frontend): frozenset(map(packed, serving))})


@needs_root
@pytest.mark.parametrize("family", Family)
def test_only_stale_udp_flows_of_the_family_go(node: Namespace, family: Family) -> None:
    for client, service, alive, dead in ADDRESSES.values():
        flows = [connection(f"{client}:1", service, alive), connection(f"{client}:2", service, dead)]
        node.run(partial(insert, [*flows, connection(f"{client}:2", service, dead, TCP)]))
    _, service, alive, dead = ADDRESSES[family]

    removal = node.run(lambda: TABLE.remove_stale(check(service, alive, family=family)))

    assert removal == DeletionResult(deleted=1)
    assert {each: len(texts(node, each)) for each in Family} == {**dict.fromkeys(Family, 2), family: 1}
    assert texts(node, family) == [f"{service} -> {alive}"]
    assert node.exec("cat", "/proc/net/nf_conntrack").count(" tcp ") == 2


@needs_root
def test_flows_in_a_zone(node: Namespace) -> None:
    """The zone is a part of what names a connection: the same addresses outside of it are another one."""
    zoned = connection("10.244.0.1:1", DNS, DEAD, zone=7)
    node.run(lambda: insert([zoned, connection("10.244.0.1:1", DNS, ALIVE)]))
    assert node.run(lambda: TABLE.remove_stale(check(DNS, ALIVE))) == DeletionResult(deleted=1)
    assert texts(node) == [f"{DNS} -> {ALIVE}"]


@needs_root
def test_a_newer_connection_stays_and_one_that_has_gone_counts_as_deleted(node: Namespace) -> None:
    node.run(lambda: insert([STALE]))
    [found] = node.run(lambda: TABLE.stale(check(DNS)))
    older = found._replace(entry=with_another_id(found.entry))
    node.run(lambda: TABLE.delete([older]))
    assert texts(node) == [f"{DNS} -> {DEAD}"]
    node.exec("conntrack", "-F")
    assert node.run(lambda: TABLE.delete([found])) == DeletionResult(deleted=1)


def with_another_id(entry: bytes) -> bytes:
    header = b"\x08\x00\x0c\x00"
    place = entry.rindex(header) + len(header)
    return entry[:place] + bytes(byte ^ 0xFF for byte in entry[place : place + 4]) + entry[place + 4 :]


class ChangingTable(ConntrackTable):
    """A table whose dumps are interrupted `times` times."""

    def __init__(self, times: int) -> None:
        self.dumps = 0
        self._times = times

    def flows(self, family: Family, protocol: Protocol) -> Iterator[Flow]:
        assert (family, protocol) == (Family.IPV4, Protocol.UDP)
        self.dumps += 1
        yield Flow(packed(DNS), packed(DEAD))
        if self.dumps <= self._times:
            raise DumpInterrupted("list", errno.EINTR)


@pytest.mark.parametrize(("interruptions", "dumps"), [(0, 1), (2, 3), (99, DUMP_ATTEMPTS)])
def test_an_interrupted_dump_is_repeated(interruptions: int, dumps: int) -> None:
    table = ChangingTable(interruptions)
    assert len(table.stale(check(DNS))) == 1
    assert table.dumps == dumps


def test_nothing_is_asked_for_nothing_and_read_only_says_so() -> None:
    table = ChangingTable(0)
    assert table.remove_stale(FlowCheck(family=Family.IPV4)) == DeletionResult()
    assert table.dumps == 0
    with pytest.raises(ReadOnly, match="1 stale flows were not deleted"):
        ReadOnlyConntrackTable().delete([Flow(b"", b"")])


# As Linux 6.18 prints it, on two CPUs.
STATISTICS = """\
entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error
00000007  00000000 00000000 00000000 00000003 00000009 00000000 00000000 00000000 00000000 0000000a 00000001 00000000
00000007  00000000 00000000 00000000 00000000 00000003 00000000 00000000 00000000 00000000 00000010 00000000 00000000
"""


@pytest.mark.parametrize(
    ("entries", "statistics", "dropped"),
    [
        ("7\n", STATISTICS, 26),
        ("8", "drop\nmany\n", 0),
        ("8", "entries\n00000007\n", 0),
        ("8", "early_drop drop\n00000000\n", 0),
        ("many", STATISTICS, None),
    ],
)
def test_how_full_the_kernel_says_it_is(tmp_path: Path, entries: str, statistics: str, dropped: int | None) -> None:
    assert conntrack_usage(tmp_path, tmp_path / "statistics") is None, "there is no table"
    files = {"nf_conntrack_count": entries, "nf_conntrack_max": "8\n", "statistics": statistics}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    usage = conntrack_usage(tmp_path, tmp_path / "statistics")
    expected = None if dropped is None else ConntrackUsage(entries=int(entries), limit=8, dropped=dropped)
    assert usage == expected
    assert usage is None or usage.is_full is (usage.entries == 8)


DONE, OBJECT = 3, 20
MULTI, INTERRUPTED = 0x02, 0x10


def dumped(sequence: int, flags: int, body: bytes) -> bytes:
    """One datagram: an object, and the end of the dump."""
    messages = ((OBJECT, flags, body), (DONE, MULTI, bytes(4)))
    return b"".join(struct.pack("=IHHII", 20, kind, flags, sequence, 0) + its for kind, flags, its in messages)


def test_an_interrupted_dump_says_so_at_its_end_or_is_repeated() -> None:
    netlink = Netlink(ROUTE)
    netlink.close()
    netlink._socket, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with netlink, kernel:
        kernel.send(dumped(1, MULTI | INTERRUPTED, b"old?"))
        dump = netlink.dump("list", OBJECT, b"")
        assert next(dump).body == b"old?"
        with pytest.raises(DumpInterrupted):
            next(dump)
        kernel.send(dumped(2, MULTI | INTERRUPTED, b"old?"))
        kernel.send(dumped(3, MULTI, b"new!"))
        assert [message.body for message in netlink.dump_all("list", OBJECT, b"")] == [b"new!"]


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
    assert node.run(lambda: sum(1 for _ in TABLE.flows(Family.IPV4, Protocol.UDP))) == 499


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
