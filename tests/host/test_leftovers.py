"""What kube-proxy leaves in other modes, as the kernel tells it."""

from collections.abc import Iterator

import pytest

from pykubeproxy.host import leftovers
from pykubeproxy.host.leftovers import find_leftovers
from pykubeproxy.host.netlink import ACK, NETFILTER, Netlink, NetlinkError, attribute, nested
from pykubeproxy.model.ip import Family
from pykubeproxy.model.leftovers import Leftovers
from pykubeproxy.model.nft_table import NftTable
from tests.host.namespace import Namespace, namespace, needs_root
from tests.kernel.nftables import needs_nft

pytestmark = needs_root

CREATE_SET = 0x0602
CREATE = 0x400
OURS, OURS_OF_IPV6, OF_KUBE_ROUTER = "KUBE-CLUSTER-IP", "KUBE-6-LOOP-BACK", "KUBE-SRC-ABCDEFGHIJKLMNOP"


@pytest.fixture(name="node")
def fixture_node() -> Iterator[Namespace]:
    with namespace() as its:
        yield its


def create_sets(*names: str) -> None:
    """As `ipset create NAME hash:ip` does it."""
    bodies = [
        bytes([2, 0, 0, 0])
        + attribute(1, b"\6")
        + attribute(2, name.encode(errors="surrogateescape") + b"\0")
        + attribute(3, b"hash:ip\0")
        + attribute(4, b"\0")
        + attribute(5, b"\2")
        + nested(7)
        for name in names
    ]
    with Netlink(NETFILTER) as netlink:
        if netlink.batch("create IP sets", CREATE_SET, bodies, flags=ACK | CREATE):
            pytest.skip("this kernel has no IP sets of the type hash:ip")


def test_nothing(node: Namespace) -> None:
    assert node.run(lambda: find_leftovers(Family)) == Leftovers()
    assert not Leftovers().has_ipvs


@needs_nft
def test_tables_of_the_families_that_are_asked_for(node: Namespace) -> None:
    for family in ("ip", "ip6", "inet"):
        node.exec("nft", "add", "table", family, "kube-proxy")
    assert node.run(lambda: find_leftovers(Family)).tables == (
        NftTable("ip", "kube-proxy"),
        NftTable("ip6", "kube-proxy"),
    )
    assert node.run(lambda: find_leftovers([Family.IPV6])).tables == (NftTable("ip6", "kube-proxy"),)


def test_ip_sets_of_kube_proxy_are_told_from_those_of_others(node: Namespace) -> None:
    node.run(lambda: create_sets(OURS, OF_KUBE_ROUTER, OURS_OF_IPV6, "caf\udce9"))
    left = node.run(lambda: find_leftovers(Family))
    assert left.ip_sets == (OURS_OF_IPV6, OURS)
    assert left.has_ipvs


def test_the_interface_of_kube_proxy(node: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_has_virtual_services", lambda: True)
    assert not node.run(lambda: find_leftovers(Family)).has_ipvs
    node.exec("ip", "link", "add", "kube-ipvs0", "type", "veth", "peer", "name", "other")
    left = node.run(lambda: find_leftovers(Family))
    assert (left.interfaces, left.has_virtual_services) == (("kube-ipvs0",), True)


def test_a_machine_that_tells_nothing_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> dict[int, str]:
        raise NetlinkError("list interfaces", 24)

    monkeypatch.setattr(leftovers, "device_names", refuse)
    assert find_leftovers(()).interfaces == ()
