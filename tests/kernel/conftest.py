from collections.abc import Iterator
from pathlib import Path

import pytest

from pykubeproxy.host.backend import Backend
from tests.kernel.machine import IPV4_KINDS, KINDS, KINDS_BY_DAY, Kind, Machine, machine, why_no_machine, why_without
from tests.kernel.node import Node

BY_DAY_AND_NIGHT = [kind if kind in KINDS_BY_DAY else pytest.param(kind, marks=pytest.mark.night) for kind in KINDS]
IPV4_BY_DAY_AND_NIGHT = [
    kind if kind.backend is Backend.NFT else pytest.param(kind, marks=pytest.mark.night) for kind in IPV4_KINDS
]


@pytest.fixture(name="machine")
def fixture_machine() -> Iterator[Machine]:
    """A fresh machine for one test."""
    if lack := why_no_machine():
        pytest.skip(lack)
    with machine() as fresh:
        yield fresh


@pytest.fixture(params=BY_DAY_AND_NIGHT, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each family with each backend that this machine has."""
    return _available(request.param)


@pytest.fixture(params=IPV4_BY_DAY_AND_NIGHT, ids=str)
def kind4(request: pytest.FixtureRequest) -> Kind:
    """The same for IPv4 alone, where the family makes no difference."""
    return _available(request.param)


@pytest.fixture(name="node")
def fixture_node(machine: Machine, kind: Kind, tmp_path: Path) -> Node:
    """A node of each kind."""
    return Node(machine, kind, tmp_path)


@pytest.fixture(name="node4")
def fixture_node4(machine: Machine, kind4: Kind, tmp_path: Path) -> Node:
    """A node of each kind for IPv4."""
    return Node(machine, kind4, tmp_path)


@pytest.fixture
def served(node4: Node) -> Node:
    """A node for IPv4 with an interface towards the pods, a gateway, and rules for one Service with two endpoints."""
    node4.machine.ip(["link set lo up", "link add eth0 type veth peer name pod0", "addr add 10.244.0.254/24 dev eth0"])
    node4.machine.ip(["link set pod0 up", "link set eth0 up", "route add 10.244.9.0/24 via 10.244.0.1 dev eth0"])
    node4.machine.set_sysctls(1, ["ipv4/ip_forward"])
    node4.write(node4.web(endpoints=("10.244.0.7", "10.244.9.7")))
    node4.sync()
    return node4


def _available(kind: Kind) -> Kind:
    if lack := why_without(kind):
        pytest.skip(lack)
    return kind
