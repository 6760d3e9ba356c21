"""The machine's addresses, and which of them the node is known by."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pykubeproxy.host.interfaces import (
    InterfaceAddress,
    default_node_ips,
    interface_addresses,
    local_addresses,
    node_ip,
    why_no_ipv6,
)
from pykubeproxy.host.routes import KernelRoute
from pykubeproxy.model.ip import IP, Family
from pykubeproxy.model.route import Route, RouteKind
from tests.builders import cidr, ip
from tests.host.namespace import Namespace, namespace, needs_root


@pytest.fixture
def node() -> Iterator[Namespace]:
    with namespace() as made:
        made.exec("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        for device in ("eth0", "eth1"):
            made.exec("ip", "link", "set", device, "addrgenmode", "none", "up")
        yield made


def add(node: Namespace, device: str, *addresses: str) -> None:
    for address in addresses:
        extra = ["nodad"] if ":" in address else []
        node.exec("ip", "address", "add", *address.split(), "dev", device, *extra)


def known_by() -> tuple[IP, ...]:
    return default_node_ips(interface_addresses())


@needs_root
def test_all_local_addresses(node: Namespace) -> None:
    add(node, "eth0", "10.1.0.1/24", "10.1.0.9/24", "fd00:1::1/64", "fe80::1/64")
    add(node, "eth1", "10.2.0.1 peer 10.2.0.2/32", "10.1.0.1/16")
    assert sorted(address.text for address in node.run(local_addresses)) == [
        "10.1.0.1",
        "10.1.0.9",
        "10.2.0.1",
        "127.0.0.1",
        "::1",
        "fd00:1::1",
        "fe80::1",
    ]


@needs_root
def test_what_is_known_of_an_address(node: Namespace) -> None:
    add(node, "eth0", "10.1.0.1/24", "fe80::1/64")
    assert set(node.run(interface_addresses)) == {
        InterfaceAddress(ip=ip("127.0.0.1"), prefix=8, device="lo", is_global=False),
        InterfaceAddress(ip=ip("::1"), prefix=128, device="lo", is_global=False),
        InterfaceAddress(ip=ip("10.1.0.1"), prefix=24, device="eth0"),
        InterfaceAddress(ip=ip("fe80::1"), prefix=64, device="eth0", is_global=False),
    }


@needs_root
def test_the_nodes_own_addresses(node: Namespace) -> None:
    assert node.run(known_by) == ()
    add(node, "eth0", "10.1.0.1/24", "fd00:1::1/64")
    assert node.run(known_by) == (ip("10.1.0.1"), ip("fd00:1::1"))
    add(node, "eth1", "10.2.0.1/24", "fd00:2::1/64")
    node.exec("ip", "route", "add", "default", "via", "10.2.0.254")
    node.exec("ip", "-6", "route", "add", "default", "via", "fd00:2::254")
    assert node.run(known_by) == (ip("10.2.0.1"), ip("fd00:2::1"))
    node.exec("ip", "route", "add", "default", "via", "10.1.0.254", "metric", "10")
    assert node.run(known_by)[0] == ip("10.2.0.1")


V4 = Family.IPV4
TEMPORARY = InterfaceAddress(ip=ip("10.1.0.8"), prefix=24, device="eth0", is_steady=False)
FIRST = InterfaceAddress(ip=ip("10.1.0.1"), prefix=24, device="eth0")
SECOND = InterfaceAddress(ip=ip("10.2.0.1"), prefix=24, device="eth1")
LINK_LOCAL = InterfaceAddress(ip=ip("169.254.0.1"), prefix=16, device="eth2", is_global=False)
OTHER_FAMILY = InterfaceAddress(ip=ip("fd00:1::1"), prefix=64, device="eth1")
ADDRESSES = (LINK_LOCAL, OTHER_FAMILY, TEMPORARY, FIRST, SECOND)


def default(
    device: str, source: str = "", destination: str = "0.0.0.0/0", kind: RouteKind = RouteKind.UNICAST
) -> KernelRoute:
    route = Route(destination=cidr(destination), device=device, kind=kind)
    return KernelRoute(route=route, source=ip(source) if source else None)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([], "10.1.0.1"),
        ([default("eth1")], "10.2.0.1"),
        ([default("eth1"), default("eth0")], "10.2.0.1"),
        ([default("eth0", source="10.9.0.1")], "10.9.0.1"),
        ([default("eth2"), default("eth1")], "10.2.0.1"),
        ([default("eth2")], "10.1.0.1"),
        ([default("eth1", destination="10.0.0.0/8")], "10.1.0.1"),
        ([default("eth1", destination="::/0")], "10.1.0.1"),
        ([default("eth1", kind=RouteKind.UNREACHABLE)], "10.1.0.1"),
    ],
)
def test_the_default_route_decides(routes: list[KernelRoute], expected: str) -> None:
    assert node_ip(V4, ADDRESSES, routes) == ip(expected)


def test_a_node_without_an_address_of_the_family() -> None:
    assert node_ip(Family.IPV6, (FIRST, LINK_LOCAL), [default("eth0")]) is None


@needs_root
def test_ipv6_switched_off(node: Namespace) -> None:
    assert node.run(why_no_ipv6) is None
    node.exec("tee", "/proc/sys/net/ipv6/conf/all/disable_ipv6", stdin="1\n")
    assert node.run(why_no_ipv6) == "IPv6 is switched off: net.ipv6.conf.all.disable_ipv6 is 1"


def test_a_kernel_without_ipv6(tmp_path: Path) -> None:
    assert why_no_ipv6(tmp_path) == "the kernel has no IPv6: there is no /proc/net/if_inet6"
    (tmp_path / "thread-self/net").mkdir(parents=True)
    (tmp_path / "thread-self/net/if_inet6").touch()
    assert why_no_ipv6(tmp_path) is None
