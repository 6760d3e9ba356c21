"""Finding and deleting flows in a real table, in a namespace of its own."""

import errno
import socket
from collections.abc import Iterator

import pytest

from pykubeproxy.flows.stale import Flow, FlowCheck
from pykubeproxy.host.conntrack import ConntrackTable, DeletionResult, ReadOnlyConntrackTable
from pykubeproxy.host.errors import ReadOnly
from pykubeproxy.host.netlink import DUMP_ATTEMPTS, DumpInterrupted
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol
from tests.host.flows import TCP, connection, insert, packed
from tests.host.namespace import Namespace, namespace, needs_root

TABLE = ConntrackTable()

ADDRESSES = {
    Family.IPV4: ("10.244.0.7", "10.96.0.10:53", "10.0.0.1:5353", "10.0.0.9:5353"),
    Family.IPV6: ("[fd00:10::7]", "[fd00::10]:53", "[fd00:1::1]:5353", "[fd00:1::9]:5353"),
}


@pytest.fixture
def node() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


def texts(node: Namespace, family: Family = Family.IPV4) -> list[str]:
    return node.run(lambda: sorted(str(flow) for flow in TABLE.flows(family, Protocol.UDP)))


def check(frontend: str, *serving: str, family: Family = Family.IPV4) -> FlowCheck:
    return FlowCheck(family=family, serving={packed(frontend): frozenset(map(packed, serving))})


@needs_root
@pytest.mark.parametrize("family", Family)
def test_only_stale_udp_flows_of_the_family_go(node: Namespace, family: Family) -> None:
    for client, service, alive, dead in ADDRESSES.values():
        flows = [
            connection(f"{client}:1", service, alive),
            connection(f"{client}:2", service, dead),
            connection(f"{client}:2", service, dead, TCP),
        ]
        node.run(lambda flows=flows: insert(flows))  # type: ignore[misc]
    _, service, alive, dead = ADDRESSES[family]
    other = next(other for other in Family if other is not family)

    removal = node.run(lambda: TABLE.remove_stale(check(service, alive, family=family)))

    assert removal == DeletionResult(deleted=1)
    assert texts(node, family) == [f"{service} -> {alive}"]
    assert len(texts(node, other)) == 2
    assert len(tcp_connections(node)) == 2


def tcp_connections(node: Namespace) -> list[str]:
    return [line for line in node.exec("cat", "/proc/net/nf_conntrack").splitlines() if " tcp " in line]


@needs_root
def test_many_batches(node: Namespace) -> None:
    count = 1000
    alive = [connection(f"10.244.0.1:{i + 1}", "10.96.0.10:53", "10.0.0.1:5353") for i in range(count)]
    dead = [connection(f"10.244.0.2:{i + 1}", "10.96.0.10:53", "10.0.0.9:5353") for i in range(count)]
    node.run(lambda: insert(alive + dead))

    removal = node.run(lambda: TABLE.remove_stale(check("10.96.0.10:53", "10.0.0.1:5353")))

    assert removal == DeletionResult(deleted=count)
    assert texts(node) == ["10.96.0.10:53 -> 10.0.0.1:5353"] * count


@needs_root
def test_flows_in_a_zone(node: Namespace) -> None:
    """The zone is a part of what names a connection: the same addresses outside of it are another one."""
    dead = ("10.244.0.1:1", "10.96.0.10:53", "10.0.0.9:5353")
    alive = ("10.244.0.1:1", "10.96.0.10:53", "10.0.0.1:5353")
    node.run(lambda: insert([connection(*dead, zone=7), connection(*alive)]))

    removal = node.run(lambda: TABLE.remove_stale(check("10.96.0.10:53", "10.0.0.1:5353")))

    assert removal == DeletionResult(deleted=1)
    assert texts(node) == ["10.96.0.10:53 -> 10.0.0.1:5353"]


@needs_root
def test_a_flow_that_has_gone_meanwhile_counts_as_deleted(node: Namespace) -> None:
    node.run(lambda: insert([connection("10.244.0.1:1", "10.96.0.10:53", "10.0.0.9:5353")]))
    found = node.run(lambda: TABLE.stale(check("10.96.0.10:53")))
    node.exec("conntrack", "-F")

    assert node.run(lambda: TABLE.delete(found)) == DeletionResult(deleted=1)


@needs_root
def test_a_newer_connection_between_the_same_addresses_stays(node: Namespace) -> None:
    node.run(lambda: insert([connection("10.244.0.1:1", "10.96.0.10:53", "10.0.0.9:5353")]))
    [found] = node.run(lambda: TABLE.stale(check("10.96.0.10:53")))
    older = found._replace(entry=with_another_id(found.entry))

    node.run(lambda: TABLE.delete([older]))

    assert texts(node) == ["10.96.0.10:53 -> 10.0.0.9:5353"]


def with_another_id(entry: bytes) -> bytes:
    header = b"\x08\x00\x0c\x00"
    place = entry.rindex(header) + len(header)
    return entry[:place] + bytes(byte ^ 0xFF for byte in entry[place : place + 4]) + entry[place + 4 :]


@needs_root
def test_a_client_that_keeps_sending_is_moved(node: Namespace) -> None:
    """With real traffic: after the endpoint was replaced, packets go on to the old one until the flow is deleted."""
    node.exec("ip", "address", "add", "10.96.0.10/32", "dev", "lo")

    def scenario() -> None:
        with udp_socket() as old, udp_socket() as new, udp_socket() as client:
            translate(node, old)
            assert reaches(client, old)
            translate(node, new)
            assert reaches(client, old)
            TABLE.remove_stale(check("10.96.0.10:53", f"127.0.0.1:{port_of(new)}"))
            assert reaches(client, new)
            TABLE.remove_stale(check("10.96.0.10:53"))
            assert list(TABLE.flows(Family.IPV4, Protocol.UDP)) == []

    node.run(scenario)


def udp_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(10)
    made.bind(("127.0.0.1", 0))
    return made


def port_of(bound: socket.socket) -> int:
    port = bound.getsockname()[1]
    assert isinstance(port, int)
    return port


def translate(node: Namespace, server: socket.socket) -> None:
    node.exec("iptables-nft", "-t", "nat", "-F")
    match = "-t nat -A OUTPUT -d 10.96.0.10 -p udp --dport 53 -j DNAT --to-destination"
    node.exec("iptables-nft", *match.split(), f"127.0.0.1:{port_of(server)}")


def reaches(client: socket.socket, server: socket.socket) -> bool:
    client.sendto(b"hello", ("10.96.0.10", 53))
    server.recv(100)
    return True


class ChangingTable(ConntrackTable):
    """A table whose dumps are interrupted `times` times."""

    def __init__(self, times: int) -> None:
        self.dumps = 0
        self._times = times

    def flows(self, family: Family, protocol: Protocol) -> Iterator[Flow]:
        assert (family, protocol) == (Family.IPV4, Protocol.UDP)
        self.dumps += 1
        yield Flow(packed("10.96.0.10:53"), packed("10.0.0.9:5353"))
        if self.dumps <= self._times:
            raise DumpInterrupted("list", errno.EINTR)


@pytest.mark.parametrize(("interruptions", "dumps"), [(0, 1), (2, 3), (99, DUMP_ATTEMPTS)])
def test_an_interrupted_dump_is_repeated(interruptions: int, dumps: int) -> None:
    table = ChangingTable(interruptions)
    assert len(table.stale(check("10.96.0.10:53"))) == 1
    assert table.dumps == dumps


def test_nothing_is_asked_for_nothing() -> None:
    table = ChangingTable(0)
    assert table.remove_stale(FlowCheck(family=Family.IPV4)) == DeletionResult()
    assert table.dumps == 0


def test_read_only() -> None:
    with pytest.raises(ReadOnly, match="1 stale flows were not deleted"):
        ReadOnlyConntrackTable().delete([Flow(b"", b"")])
