"""The kernel's table of connections is full: it is reported, kept connections work on, and rules stay in step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

import pytest

from pykubeproxy.host.conntrack_usage import conntrack_usage
from pykubeproxy.host.conntrack_wire import DELETE, NEW, ORIGINAL, direction
from pykubeproxy.host.netlink import NETFILTER, Netlink
from pykubeproxy.host.nfnetlink import nfgenmsg
from pykubeproxy.model.ip import Family
from tests.chaos.bed import PODS, Bed, cluster_ips
from tests.host.flows import CREATE_EXCLUSIVELY, UDP, connection, packed
from tests.host.namespace import Namespace

LARGEST = 600_000
# Shared address space (RFC 6598), from which nobody is here.
FIRST_CLIENT = int(IPv4Address("100.64.0.0"))
PORT = (1024).to_bytes(2, "big")
ANYBODY = "198.18.0.1:53"
FULL = "nf_conntrack: table full, dropping new connections"
AGAIN = "nf_conntrack: the table is not full any more"


@contextmanager
def full_table(node: Namespace, limit: int) -> Iterator[None]:
    """During the block, the table of a node has as many connections as the kernel allows, which stay in it."""
    clients = [(FIRST_CLIENT + number).to_bytes(4, "big") for number in range(limit)]
    sample = FIRST_CLIENT.to_bytes(4, "big")
    new = connection(f"{IPv4Address(FIRST_CLIENT)}:1024", ANYBODY, ANYBODY).split(sample)
    gone = (nfgenmsg(Family.IPV4.address_family) + direction(ORIGINAL, sample + PORT, packed(ANYBODY), UDP)).split(
        sample
    )
    refused = node.run(lambda: send(NEW, [each.join(new) for each in clients], CREATE_EXCLUSIVELY))
    try:
        assert 0 < refused < limit, "there is room for some, and not for all"
        yield
    finally:
        node.run(lambda: send(DELETE, [each.join(gone) for each in clients]))


def send(kind: int, requests: list[bytes], flags: int = 0) -> int:
    """Ask the kernel; return how often it refused."""
    with Netlink(NETFILTER) as netlink:
        return len(netlink.batch("change connections", kind, requests, flags))


@pytest.mark.night
def test_a_full_table_is_reported(any_bed: Bed, figure: Callable[[str, object], None]) -> None:
    bed = any_bed
    usage = conntrack_usage()
    if usage is None or usage.limit > LARGEST:
        pytest.skip("this machine's table of connections is too large to be filled")
    node = Namespace(bed.node.name)
    proxy = bed.start()
    # Connections to the API server that are older than the rules come into the table with the next packet only.
    bed.wait_converged()
    synced = len(proxy.told("synced"))
    with bed.traffic(cluster_ips()) as sent:
        with full_table(node, usage.limit):
            bed.cluster.wait(lambda: proxy.told(FULL) != [], "report")
            bed.load(2, PODS[1])
            bed.cluster.wait(lambda: len(proxy.told("synced")) >= synced + 2, "sync of both families")
        bed.cluster.wait(lambda: proxy.told(AGAIN) != [], "word of room")
    kept = [failure for failure in sent.failures if failure.failed.endswith("/kept")]
    assert sent.failures != []
    assert kept == []
    with bed.unharmed():
        bed.wait_converged()
        assert metric(bed, "dropped_packets_total") > 0
        assert metric(bed, "entries") < metric(bed, "entries_limit") == usage.limit
    assert (len(proxy.told(FULL)), len(proxy.told(AGAIN))) == (1, 1)
    figure("connections that fill the table", usage.limit)


def metric(bed: Bed, name: str) -> float:
    said = bed.node.exec(["curl", "-s", "http://127.0.0.1:10249/metrics"]).stdout
    return next(
        float(line.split()[1]) for line in said.splitlines() if line.startswith(f"pykubeproxy_conntrack_{name} ")
    )
