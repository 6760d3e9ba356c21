"""What is known of a node whose addresses are given: `--host-address`."""

import pytest

from pykubeproxy.config.completed import complete
from pykubeproxy.daemon.setup import node_view
from pykubeproxy.daemon.setup.node_view import NodeView
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.host import interfaces
from pykubeproxy.host.routes import KernelRoute
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from tests.builders import ip


def view(*addresses: str, **flags: object) -> NodeView:
    """A node with these addresses, told by flags; underscores stand for dashes."""
    completed = complete({name.replace("_", "-"): value for name, value in flags.items()}, None, "n1")
    return NodeView(completed, OwnOptions(host_addresses=tuple(map(ip, addresses))), {})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("10.0.0.5", "fd00::5"), ["10.0.0.5", "fd00::5"]),
        (("127.0.0.1", "10.0.0.5", "10.0.0.6", "::1", "fe80::1", "fd00::5"), ["10.0.0.5", "fd00::5"]),
        (("169.254.0.1", "10.0.0.5", "fe80::1"), ["10.0.0.5", "::1"]),
        (("127.0.0.2",), ["127.0.0.1", "::1"]),
    ],
)
def test_nobody_knows_a_node_by_its_loopback_or_link_local_addresses(
    given: tuple[str, ...], expected: list[str]
) -> None:
    options = [view(*given).options_for(None, family) for family in Family]
    assert [its.node_ip.text for its in options if its.node_ip is not None] == expected


def test_node_ports_on_given_addresses_include_loopback() -> None:
    its = view("127.0.0.1", "10.0.0.5", nodeport_addresses=("127.0.0.0/8", "10.0.0.0/24"))
    assert its.options_for(None, Family.IPV4).node_port_addresses == ("10.0.0.5", "127.0.0.1")
    assert its.health_check_addresses(None, Family.IPV4) == ("10.0.0.5", "127.0.0.1")
    assert view("10.0.0.5").health_check_addresses(None, Family.IPV4) is None


FIRST, OTHER = ip("192.0.2.1"), ip("192.0.2.7")


class Machine:
    """A machine with one address on eth0, and routes that cost much to read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.readings = 0
        self.way_out = self.address = FIRST
        monkeypatch.setattr(interfaces, "kernel_routes", self.routes)
        monkeypatch.setattr(interfaces, "interface_addresses", self.addresses)
        monkeypatch.setattr(node_view, "source_towards", lambda _: self.way_out)

    def routes(self) -> tuple[KernelRoute, ...]:
        self.readings += 1
        return ()

    def addresses(self) -> tuple[interfaces.InterfaceAddress, ...]:
        return (interfaces.InterfaceAddress(ip=self.address, prefix=24, device="eth0"),)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def ask(its: NodeView, node: Node | None) -> None:
    """What a sync of both families asks where node ports answer on some networks only."""
    for family in Family:
        its.options_for(node, family)
        its.health_check_addresses(node, family)


def test_the_routes_are_not_read_for_a_node_that_has_an_object(machine: Machine) -> None:
    for _ in range(3):
        ask(view(nodeport_addresses=("10.0.0.0/8",)), Node(name="n1", addresses=(ip("192.0.2.1"),)))
    assert machine.readings == 0
