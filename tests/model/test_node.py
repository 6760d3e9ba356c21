"""A node's addresses: docs/reference/lifecycle.md section 6."""

import pytest

from pykubeproxy.model.node import Node
from tests.builders import ip


@pytest.mark.parametrize(
    ("addresses", "ips"),
    [
        ((), ()),
        (("10.1.1.1",), ("10.1.1.1",)),
        (("10.1.1.1", "10.1.1.2", "fd00::1", "fd00::2"), ("10.1.1.1", "fd00::1")),
        (("fd00::1", "10.1.1.1"), ("fd00::1", "10.1.1.1")),
    ],
)
def test_the_first_of_each_family_the_first_of_all_in_front(addresses: tuple[str, ...], ips: tuple[str, ...]) -> None:
    node = Node(name="n1", addresses=tuple(map(ip, addresses)))
    assert tuple(address.text for address in node.ips) == ips
