"""The words of rules, and chances: docs/reference/iptables-rules.md section 17."""

import pytest

from pykubeproxy.model.service import Protocol
from pykubeproxy.rules import text
from pykubeproxy.rules.options import PodTraffic


@pytest.mark.parametrize(
    ("chosen", "choices", "saved"),
    [
        (1, 2, "0.50000000000"),
        (1, 3, "0.33333333349"),
        (2, 6, "0.33333333349"),
        (1, 5, "0.20000000019"),
        (1, 6, "0.16666666651"),
        (1, 7, "0.14285714272"),
        (1, 10, "0.10000000009"),
        (1, 100, "0.00999999978"),
        (300, 400, "0.75000000000"),
    ],
)
def test_probability_as_the_kernel_keeps_it(chosen: int, choices: int, saved: str) -> None:
    assert text.probability(chosen, choices) == saved


@pytest.mark.parametrize(
    ("traffic", "inside", "outside"),
    [
        (PodTraffic(source="10.0.0.0/8"), "-s 10.0.0.0/8 ", "! -s 10.0.0.0/8 -d 1.2.3.4/32 -p tcp"),
        (PodTraffic(interface="cbr0"), "-i cbr0 ", "-d 1.2.3.4/32 ! -i cbr0 -p tcp"),
        (PodTraffic(interface="veth+"), "-i veth+ ", "-d 1.2.3.4/32 ! -i veth+ -p tcp"),
    ],
)
def test_pod_traffic(traffic: PodTraffic, inside: str, outside: str) -> None:
    assert text.from_pods(traffic) == inside
    rule = text.outside_pods_to_port(traffic, "1.2.3.4", Protocol.TCP, 80, "note")
    assert rule == f'{outside} -m comment --comment "note" -m tcp --dport 80'


def test_traffic_from_pods_that_is_all_traffic() -> None:
    assert {text.from_pods(PodTraffic(source=source)) for source in ("0.0.0.0/0", "::/0")} == {""}


@pytest.mark.parametrize(
    ("canonical", "printed"),
    [
        ("::", "::"),
        ("::1", "::1"),
        ("::ffff", "::ffff"),
        ("::1:0", "::0.1.0.0"),
        ("::1:5", "::0.1.0.5"),
        ("::ffff:ffff", "::255.255.255.255"),
        ("::1:0:5", "::1:0:5"),
        ("::fffe:102:304", "::fffe:102:304"),
        ("64:ff9b::102:304", "64:ff9b::102:304"),
        ("1::", "1::"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_ipv6_as_glibc_prints_it(canonical: str, printed: str) -> None:
    assert text.address(canonical) == printed
    assert text.network(f"{canonical}/100") == f"{printed}/100"
    is_ipv6 = ":" in canonical
    assert text.host(canonical) == f"{printed}/{128 if is_ipv6 else 32}"
    assert text.endpoint(f"[{canonical}]:80" if is_ipv6 else f"{canonical}:80") == (
        f"[{printed}]:80" if is_ipv6 else f"{printed}:80"
    )
