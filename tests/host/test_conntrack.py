"""The table of connections: finding and deleting flows, and how full it is."""

import errno
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pykubeproxy.flows.stale import Flow, FlowCheck
from pykubeproxy.host.conntrack import ConntrackTable, DeletionResult, ReadOnlyConntrackTable
from pykubeproxy.host.conntrack_usage import conntrack_usage
from pykubeproxy.host.errors import ReadOnly
from pykubeproxy.host.netlink import DUMP_ATTEMPTS, DumpInterrupted
from pykubeproxy.model.conntrack_usage import ConntrackUsage
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol
from tests.host.flows import TCP, connection, insert, packed
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
def test_a_newer_connection_stays_and_one_that_has_gone_counts_as_deleted(
    node: Namespace,
) -> None:
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


@needs_root
def test_how_full_the_table_of_the_calling_thread_is(node: Namespace) -> None:
    before = node.run(conntrack_usage)
    node.run(lambda: insert([STALE]))
    after = node.run(conntrack_usage)
    assert before is not None
    assert after is not None
    assert (before.entries, after.entries) == (0, 1)
    assert after.limit > 1
