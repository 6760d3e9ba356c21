"""What is known of a node whose addresses are given: `--host-address`."""

from unittest.mock import Mock

import pytest

from pykubeproxy.config.completed import complete
from pykubeproxy.daemon.setup.node_view import NodeView
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.host import interfaces
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


def test_the_routes_are_not_read_for_a_node_that_has_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading them costs much. What a sync of both families asks where node ports answer on some networks only."""
    routes = Mock(return_value=())
    monkeypatch.setattr(interfaces, "kernel_routes", routes)
    its, node = view(nodeport_addresses=("10.0.0.0/8",)), Node(name="n1", addresses=(ip("192.0.2.1"),))
    for family in Family:
        its.options_for(node, family)
        its.health_check_addresses(node, family)
    assert not routes.called
    its.options_for(None, Family.IPV4)
    assert routes.called
