"""Addresses and networks as Kubernetes reads and prints them: docs/reference/services.md section 6."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.ip import CIDR, IP, Family, parse_cidr, parse_ip
from tests.builders import cidr, ip

IPV4_TEXTS = {
    "10.0.0.1": "10.0.0.1",
    "192.168.099.022": "192.168.99.22",
    "172.30.0.041": "172.30.0.41",
    "1.2.3.004": "1.2.3.4",
    "10.180.00.001": "10.180.0.1",
    "000255.0.0.00": "255.0.0.0",
    "::ffff:1.2.3.4": "1.2.3.4",
    "::FFFF:102:304": "1.2.3.4",
    "0:0:0:0:0:ffff:1.2.3.4": "1.2.3.4",
    "::ffff:001.02.3.4": "1.2.3.4",
}
IPV6_TEXTS = {
    "::": "::",
    "::1": "::1",
    "FD00::A": "fd00::a",
    "fd00:0:0:0:0:0:0:1": "fd00::1",
    "2001:db8:0:1:0:0:0:1": "2001:db8:0:1::1",
    "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "2001:0:0:1:2:0:0:1": "2001::1:2:0:0:1",
    "1:0:2:3:4:5:6:7": "1:0:2:3:4:5:6:7",
    "::1.2.3.4": "::102:304",
    "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
    "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
    "::2:3:4:5:6:7:8": "0:2:3:4:5:6:7:8",
    "0000fd00::00001": "fd00::1",
}
NO_IPS = [
    "",
    " ",
    "10",
    "localhost",
    "10.0.0",
    "10.0.0.0.1",
    "10.0.0.256",
    "10.0.0.-1",
    "10.0..1",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4\n",
    "1.2.3.4:80",
    "0x1.2.3.4",
    "1.2.3.4/32",
    "\u0661.2.3.4",
    ":",
    ":::",
    "1::2::3",
    "fe80::1%eth0",
    "::1 ",
    "::1\n",
    "::g",
    "fd00::12345",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "1::2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::1.2.3.256",
    "::1.2.3",
    "1.2.3.4::",
    "[::1]",
]


@pytest.mark.parametrize(("text", "canonical"), IPV4_TEXTS.items())
def test_ipv4(text: str, canonical: str) -> None:
    assert parse_ip(text) == IP(Family.IPV4, canonical)


@pytest.mark.parametrize(("text", "canonical"), IPV6_TEXTS.items())
def test_ipv6(text: str, canonical: str) -> None:
    assert parse_ip(text) == IP(Family.IPV6, canonical)


@pytest.mark.parametrize("text", NO_IPS)
def test_not_an_address(text: str) -> None:
    assert parse_ip(text) is None


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.20.30.40/16", CIDR(Family.IPV4, "10.20.0.0/16", 16)),
        ("203.0.113.000/025", CIDR(Family.IPV4, "203.0.113.0/25", 25)),
        ("1.2.3.4/32", CIDR(Family.IPV4, "1.2.3.4/32", 32)),
        ("1.2.3.4/0", CIDR(Family.IPV4, "0.0.0.0/0", 0)),
        ("FD00::1/64", CIDR(Family.IPV6, "fd00::/64", 64)),
        ("::/0", CIDR(Family.IPV6, "::/0", 0)),
        ("::1/128", CIDR(Family.IPV6, "::1/128", 128)),
        # Written as IPv6, masked as IPv6: it stays IPv4 only as long as the mask keeps the mapping's own bits.
        ("::ffff:10.1.2.3/104", CIDR(Family.IPV4, "10.0.0.0/8", 8)),
        ("::ffff:10.1.2.3/96", CIDR(Family.IPV4, "0.0.0.0/0", 0)),
        ("::ffff:10.1.2.3/8", CIDR(Family.IPV6, "::/8", 8)),
        ("::ffff:10.1.2.3/95", CIDR(Family.IPV6, "::fffe:0:0/95", 95)),
    ],
)
def test_networks_are_masked(text: str, network: CIDR) -> None:
    assert parse_cidr(text) == network


@pytest.mark.parametrize(
    "text",
    ["", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/8 ", "10.0.0.0/a"],
)
def test_not_a_network(text: str) -> None:
    assert parse_cidr(text) is None


@pytest.mark.parametrize(
    "text", ["fd00::/129", "/8", "bogus/8", "fe80::%eth0/64", "10.0.0.0/+8", "::ffff:10.0.0.0/129", "fd00::/64 "]
)
def test_not_a_network_either(text: str) -> None:
    assert parse_cidr(text) is None


@given(st.ip_addresses())
def test_every_address_is_read_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    expected = getattr(address, "ipv4_mapped", None) or address
    for text in (str(address), address.exploded, address.exploded.upper()):
        parsed = parse_ip(text)
        assert parsed is not None
        assert (parsed.text, parsed.number, parsed.family.bits) == (
            str(expected),
            int(expected),
            expected.max_prefixlen,
        )


@given(st.text(alphabet="0123456789abcdfF:.%/ g", max_size=45))
def test_what_is_read_is_an_address(text: str) -> None:
    parsed = parse_ip(text)
    if parsed is not None:
        assert str(ipaddress.ip_address(parsed.text)) == parsed.text
        assert parse_ip(parsed.text) == parsed


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


@pytest.mark.parametrize(
    ("address", "loopback"), [("127.0.0.1", True), ("127.255.0.9", True), ("::1", True), ("::2", False)]
)
def test_loopback(address: str, *, loopback: bool) -> None:
    assert ip(address).is_loopback is loopback


@pytest.mark.parametrize(
    ("address", "link_local"),
    [("169.254.0.1", True), ("169.253.0.1", False), ("fe80::1", True), ("febf::1", True), ("fec0::1", False)],
)
def test_link_local(address: str, *, link_local: bool) -> None:
    assert ip(address).is_link_local is link_local
