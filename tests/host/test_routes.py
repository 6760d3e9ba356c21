"""Routes as the kernel has them."""

from collections.abc import Iterator

import pytest

from pykubeproxy.host.routes import kernel_routes, routes
from pykubeproxy.model.route import Route, RouteKind
from tests.builders import cidr, ip
from tests.host.namespace import Namespace, namespace, needs_root


@pytest.fixture
def node() -> Iterator[Namespace]:
    with namespace() as made:
        made.exec("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        for number in (0, 1):
            made.exec("ip", "link", "set", f"eth{number}", "addrgenmode", "none", "up")
            made.exec("ip", "address", "add", f"10.{number}.0.1/24", "dev", f"eth{number}")
            made.exec("ip", "address", "add", f"fd00:{number}::1/64", "dev", f"eth{number}", "nodad")
        yield made


def found(node: Namespace, destination: str) -> list[Route]:
    return [route for route in node.run(routes) if route.destination == cidr(destination)]


@needs_root
def test_local_and_connected(node: Namespace) -> None:
    [local] = found(node, "10.0.0.1/32")
    assert local == Route(destination=cidr("10.0.0.1/32"), device="eth0", kind=RouteKind.LOCAL)
    assert found(node, "127.0.0.0/8")[0].kind is RouteKind.LOCAL
    assert found(node, "10.1.0.0/24") == [Route(destination=cidr("10.1.0.0/24"), device="eth1")]
    assert found(node, "fd00:1::/64") == [Route(destination=cidr("fd00:1::/64"), device="eth1")]
    assert found(node, "fd00:1::1/128")[0].kind is RouteKind.LOCAL
    assert found(node, "10.0.0.255/32")[0].kind is RouteKind.BROADCAST


@needs_root
def test_through_a_gateway(node: Namespace) -> None:
    node.exec("ip", "route", "add", "default", "via", "10.0.0.254", "src", "10.0.0.1")
    node.exec("ip", "-6", "route", "add", "default", "via", "fd00:1::fe")
    node.exec("ip", "route", "add", "10.9.0.0/16", "via", "inet6", "fd00:1::fe", "dev", "eth1")
    assert found(node, "0.0.0.0/0") == [Route(destination=cidr("0.0.0.0/0"), device="eth0", via=ip("10.0.0.254"))]
    assert found(node, "::/0") == [Route(destination=cidr("::/0"), device="eth1", via=ip("fd00:1::fe"))]
    assert found(node, "10.9.0.0/16") == [Route(destination=cidr("10.9.0.0/16"), device="eth1", via=ip("fd00:1::fe"))]
    [default, _] = [known for known in node.run(kernel_routes) if known.is_default]
    assert default.source == ip("10.0.0.1")


@needs_root
def test_several_next_hops(node: Namespace) -> None:
    hops = "nexthop via 10.0.0.254 nexthop via 10.1.0.254"
    node.exec("ip", "route", "add", "10.9.0.0/16", *hops.split())
    assert found(node, "10.9.0.0/16") == [
        Route(destination=cidr("10.9.0.0/16"), device="eth0", via=ip("10.0.0.254")),
        Route(destination=cidr("10.9.0.0/16"), device="eth1", via=ip("10.1.0.254")),
    ]


@needs_root
@pytest.mark.parametrize("kind", [RouteKind.BLACKHOLE, RouteKind.UNREACHABLE, RouteKind.PROHIBIT])
def test_refusals(node: Namespace, kind: RouteKind) -> None:
    node.exec("ip", "route", "add", kind, "10.9.0.0/16")
    assert found(node, "10.9.0.0/16") == [Route(destination=cidr("10.9.0.0/16"), kind=kind)]


@needs_root
def test_the_preferred_route_comes_first(node: Namespace) -> None:
    for metric, gateway in ((200, "10.0.0.254"), (100, "10.1.0.254")):
        node.exec("ip", "route", "add", "default", "via", gateway, "metric", str(metric))
    assert [route.via for route in found(node, "0.0.0.0/0")] == [ip("10.1.0.254"), ip("10.0.0.254")]


@needs_root
def test_other_tables_are_left_out(node: Namespace) -> None:
    node.exec("ip", "route", "add", "10.9.0.0/16", "via", "10.0.0.254", "table", "100")
    assert found(node, "10.9.0.0/16") == []
