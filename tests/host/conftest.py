"""A namespace, and a folder of tools, for one test each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.fake_tools import FakeTools
from tests.host.namespace import Namespace, namespace


@pytest.fixture
def node() -> Iterator[Namespace]:
    """A network namespace."""
    with namespace() as made:
        yield made


@pytest.fixture
def linked_node(node: Namespace) -> Namespace:
    """A network namespace with two interfaces that are up and have no addresses yet."""
    node.exec("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    for device in ("eth0", "eth1"):
        node.exec("ip", "link", "set", device, "addrgenmode", "none", "up")
    return node


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    """No tools yet."""
    return FakeTools(tmp_path / "bin", monkeypatch)
