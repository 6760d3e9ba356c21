"""The machine's addresses, which of them the node is known by, and its routes."""

from pathlib import Path

import pytest

from pykubeproxy.host.interfaces import InterfaceAddress, interface_addresses, local_addresses, node_ip, why_no_ipv6
from pykubeproxy.host.routes import KernelRoute, kernel_routes, routes
from pykubeproxy.model.ip import Family
from pykubeproxy.model.route import Route, RouteKind
from tests.builders import cidr, ip
from tests.host.namespace import Namespace, needs_root


def add(node: Namespace, device: str, *addresses: str) -> None:
    for address in addresses:
        extra = ["nodad"] if ":" in address else []
        node.exec("ip", "address", "add", *address.split(), "dev", device, *extra)


def address(text: str, prefix: int, device: str, *, is_global: bool = True, is_steady: bool = True) -> InterfaceAddress:
    return InterfaceAddress(ip=ip(text), prefix=prefix, device=device, is_global=is_global, is_steady=is_steady)


@needs_root
def test_what_is_known_of_each_address(linked_node: Namespace) -> None:
    add(linked_node, "eth0", "10.1.0.1/24", "10.1.0.9/24", "fd00:1::1/64", "fe80::1/64")
    add(linked_node, "eth1", "10.2.0.1 peer 10.2.0.2/32", "10.1.0.1/16")
    found = linked_node.run(interface_addresses)
    assert {each for each in found if each.device != "eth1"} == {
        address("127.0.0.1", 8, "lo", is_global=False),
        address("::1", 128, "lo", is_global=False),
        address("10.1.0.1", 24, "eth0"),
        address("10.1.0.9", 24, "eth0", is_steady=False),
        address("fd00:1::1", 64, "eth0"),
        address("fe80::1", 64, "eth0", is_global=False),
    }
    distinct = {"127.0.0.1", "::1", "10.1.0.1", "10.1.0.9", "fd00:1::1", "fe80::1", "10.2.0.1"}
    assert sorted(each.text for each in linked_node.run(local_addresses)) == sorted(distinct)


LINK_LOCAL = address("169.254.0.1", 16, "eth2", is_global=False)
FIRST = address("10.1.0.1", 24, "eth0")
ADDRESSES = (
    LINK_LOCAL,
    address("fd00:1::1", 64, "eth1"),
    address("10.1.0.8", 24, "eth0", is_steady=False),
    FIRST,
    address("10.2.0.1", 24, "eth1"),
)


def default(
    device: str, source: str = "", destination: str = "0.0.0.0/0", kind: RouteKind = RouteKind.UNICAST
) -> KernelRoute:
    route = Route(destination=cidr(destination), device=device, kind=kind)
    return KernelRoute(route=route, source=ip(source) if source else None)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], "10.1.0.1"),
        ([default("eth1"), default("eth0")], "10.2.0.1"),
        ([default("eth0", source="10.9.0.1")], "10.9.0.1"),
        ([default("eth2"), default("eth1")], "10.2.0.1"),
        ([default("eth2")], "10.1.0.1"),
        ([default("eth1", destination="10.0.0.0/8")], "10.1.0.1"),
        ([default("eth1", destination="::/0")], "10.1.0.1"),
        ([default("eth1", kind=RouteKind.UNREACHABLE)], "10.1.0.1"),
    ],
)
def test_the_default_route_decides(found: list[KernelRoute], expected: str) -> None:
    assert node_ip(Family.IPV4, ADDRESSES, found) == ip(expected)
    assert node_ip(Family.IPV6, (FIRST, LINK_LOCAL), found) is None


@needs_root
def test_ipv6_switched_off(node: Namespace, tmp_path: Path) -> None:
    assert node.run(why_no_ipv6) is None
    node.exec("tee", "/proc/sys/net/ipv6/conf/all/disable_ipv6", stdin="1\n")
    assert node.run(why_no_ipv6) == "IPv6 is switched off: net.ipv6.conf.all.disable_ipv6 is 1"
    assert why_no_ipv6(tmp_path) == "the kernel has no IPv6: there is no /proc/net/if_inet6"
    (tmp_path / "thread-self/net").mkdir(parents=True)
    (tmp_path / "thread-self/net/if_inet6").touch()
    assert why_no_ipv6(tmp_path) is None


@pytest.fixture
def routed(linked_node: Namespace) -> Namespace:
    """A node whose two interfaces have addresses of both families."""
    for number in (0, 1):
        add(linked_node, f"eth{number}", f"10.{number}.0.1/24", f"fd00:{number}::1/64")
    return linked_node


def route(
    destination: str, device: str | None = None, via: str = "", kind: RouteKind = RouteKind.UNICAST
) -> tuple[str, list[Route]]:
    """A destination, and the one route to it that is expected."""
    gateway = ip(via) if via else None
    return destination, [Route(destination=cidr(destination), device=device, via=gateway, kind=kind)]


def assert_found(node: Namespace, *expected: tuple[str, list[Route]]) -> None:
    found = node.run(routes)
    for destination, wanted in expected:
        assert [each for each in found if each.destination == cidr(destination)] == wanted


@needs_root
def test_routes_of_every_kind(routed: Namespace) -> None:
    for words in (
        "default via 10.0.0.254 src 10.0.0.1",
        "default via fd00:1::fe",
        "10.9.0.0/16 via inet6 fd00:1::fe dev eth1",
        "10.10.0.0/16 via 10.0.0.254 table 100",
        *(f"{kind} 10.{number}.0.0/16" for number, kind in enumerate(("blackhole", "unreachable", "prohibit"), 11)),
    ):
        routed.exec("ip", *(["-6"] if words.startswith("default via fd") else []), "route", "add", *words.split())
    assert_found(
        routed,
        route("10.0.0.1/32", "eth0", kind=RouteKind.LOCAL),
        route("127.0.0.0/8", "lo", kind=RouteKind.LOCAL),
        route("fd00:1::1/128", "eth1", kind=RouteKind.LOCAL),
        route("10.0.0.255/32", "eth0", kind=RouteKind.BROADCAST),
        route("10.1.0.0/24", "eth1"),
        route("fd00:1::/64", "eth1"),
        route("0.0.0.0/0", "eth0", "10.0.0.254"),
        route("::/0", "eth1", "fd00:1::fe"),
        route("10.9.0.0/16", "eth1", "fd00:1::fe"),
        ("10.10.0.0/16", []),
        route("10.11.0.0/16", kind=RouteKind.BLACKHOLE),
        route("10.12.0.0/16", kind=RouteKind.UNREACHABLE),
        route("10.13.0.0/16", kind=RouteKind.PROHIBIT),
    )
    [default_route, _] = [known for known in routed.run(kernel_routes) if known.is_default]
    assert default_route.source == ip("10.0.0.1")


@needs_root
def test_several_next_hops_and_the_preferred_route_first(routed: Namespace) -> None:
    routed.exec("ip", "route", "add", "10.9.0.0/16", "nexthop", "via", "10.0.0.254", "nexthop", "via", "10.1.0.254")
    for metric, gateway in ((200, "10.0.0.254"), (100, "10.1.0.254")):
        routed.exec("ip", "route", "add", "default", "via", gateway, "metric", str(metric))
    found = routed.run(routes)
    ways = {
        text: [each.via for each in found if each.destination == cidr(text)] for text in ("10.9.0.0/16", "0.0.0.0/0")
    }
    one, other = ip("10.0.0.254"), ip("10.1.0.254")
    assert ways == {"10.9.0.0/16": [one, other], "0.0.0.0/0": [other, one]}
