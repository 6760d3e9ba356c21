"""Addresses and networks as Kubernetes reads and prints them (docs/reference/services.md section 6), and shares."""

import ipaddress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.ip import CIDR, IP, Family, parse_cidr, parse_ip
from pykubeproxy.model.node import Node
from pykubeproxy.model.share import percent
from tests.builders import cidr, ip

IPV4, IPV6 = Family.IPV4, Family.IPV6


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.168.099.022", IP(IPV4, "192.168.99.22")),
        ("000255.0.0.00", IP(IPV4, "255.0.0.0")),
        ("::FFFF:102:304", IP(IPV4, "1.2.3.4")),
        ("0:0:0:0:0:ffff:1.2.3.4", IP(IPV4, "1.2.3.4")),
        ("::ffff:001.02.3.4", IP(IPV4, "1.2.3.4")),
        ("::", IP(IPV6, "::")),
        ("2001:db8:0:1:0:0:0:1", IP(IPV6, "2001:db8:0:1::1")),
        ("1:0:2:3:4:5:6:7", IP(IPV6, "1:0:2:3:4:5:6:7")),
        ("1:2:3:4:5:6:7::", IP(IPV6, "1:2:3:4:5:6:7:0")),
        ("0000fd00::00001", IP(IPV6, "fd00::1")),
    ],
)
def test_address(text: str, address: IP) -> None:
    assert parse_ip(text) == address


NO_IPV4 = (
    *("", " ", "10", "localhost", "10.0.0", "10.0.0.0.1", "10.0.0.256", "10.0.0.-1", "10.0..1", "1.2.3.4 "),
    *(" 1.2.3.4", "1.2.3.4\n", "1.2.3.4:80", "0x1.2.3.4", "1.2.3.4/32", "\u0661.2.3.4"),
)
NO_IPV6 = (
    *(":", ":::", "1::2::3", "fe80::1%eth0", "::1 ", "::1\n", "::g", "fd00::12345", "1:2:3:4:5:6:7", "[::1]"),
    *("1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "1::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:", "1:2:3:4:5:6:7:1.2.3.4"),
    *("::1.2.3.256", "::1.2.3", "1.2.3.4::"),
)


@pytest.mark.parametrize("text", [*NO_IPV4, *NO_IPV6])
def test_not_an_address(text: str) -> None:
    assert parse_ip(text) is None


@given(st.ip_addresses())
def test_every_address_is_read_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    expected = getattr(address, "ipv4_mapped", None) or address
    for text in (str(address), address.exploded, address.exploded.upper()):
        its = ip(text)
        assert (its.text, its.number, its.family.bits) == (str(expected), int(expected), expected.max_prefixlen)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.20.30.40/16", CIDR(IPV4, "10.20.0.0/16", 16)),
        ("203.0.113.000/025", CIDR(IPV4, "203.0.113.0/25", 25)),
        ("FD00::1/64", CIDR(IPV6, "fd00::/64", 64)),
        # Written as IPv6, masked as IPv6: it stays IPv4 only as long as the mask keeps the mapping's own bits.
        ("::ffff:10.1.2.3/104", CIDR(IPV4, "10.0.0.0/8", 8)),
        ("::ffff:10.1.2.3/96", CIDR(IPV4, "0.0.0.0/0", 0)),
        ("::ffff:10.1.2.3/95", CIDR(IPV6, "::fffe:0:0/95", 95)),
    ],
)
def test_networks_are_masked(text: str, network: CIDR) -> None:
    assert parse_cidr(text) == network


NO_NETWORKS = (
    *("", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/8 ", "10.0.0.0/a"),
    *("fd00::/129", "/8", "bogus/8", "fe80::%eth0/64", "10.0.0.0/+8", "::ffff:10.0.0.0/129", "fd00::/64 "),
)


@pytest.mark.parametrize("text", NO_NETWORKS)
def test_not_a_network(text: str) -> None:
    assert parse_cidr(text) is None


@pytest.mark.parametrize(
    ("network", "address", "inside"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("0.0.0.0/0", "::1", False),
        ("::/0", "1.2.3.4", False),
        ("fd00::/8", "fd12::1", True),
    ],
)
def test_containment_is_within_a_family(network: str, address: str, *, inside: bool) -> None:
    assert cidr(network).contains(ip(address)) is inside


def test_loopback_and_link_local() -> None:
    texts = ("127.255.0.9", "::1", "::2", "169.254.0.1", "169.253.0.1", "fe80::1", "febf::1", "fec0::1")
    assert [text for text in texts if ip(text).is_loopback] == ["127.255.0.9", "::1"]
    assert [text for text in texts if ip(text).is_link_local] == ["169.254.0.1", "fe80::1", "febf::1"]


@pytest.mark.parametrize(
    ("addresses", "ips"),
    [
        ((), ()),
        (("10.1.1.1", "10.1.1.2", "fd00::1", "fd00::2"), ("10.1.1.1", "fd00::1")),
        (("fd00::1", "10.1.1.1"), ("fd00::1", "10.1.1.1")),
    ],
)
def test_a_node_has_the_first_of_each_family(addresses: tuple[str, ...], ips: tuple[str, ...]) -> None:
    """The first of all in front: docs/reference/lifecycle.md section 6."""
    node = Node(name="n1", addresses=tuple(map(ip, addresses)))
    assert tuple(address.text for address in node.ips) == ips


@pytest.mark.parametrize(
    ("share", "text"),
    [("0", "0%"), ("1", "100%"), ("1/3", "33.3%"), ("1/5000000", "0.00002%"), ("9999/10000", "99.99%")],
)
def test_a_share_is_neither_nothing_nor_all_unless_it_is(share: str, text: str) -> None:
    assert percent(Fraction(share)) == text
