from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.fakes import Clock, FakeProxy
from tests.daemon.node import Node, node_of_cluster


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node whose cluster has no objects yet but the Service `default/kubernetes`."""
    with node_of_cluster(tmp_path) as its:
        yield its


@pytest.fixture
def clock() -> Clock:
    """Time as a number, for a loop."""
    return Clock()


@pytest.fixture
def proxy(clock: Clock) -> FakeProxy:
    """What a loop syncs."""
    return FakeProxy(clock)
