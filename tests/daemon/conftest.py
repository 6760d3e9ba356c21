from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver.cluster import Cluster
from tests.apiserver.real import ASSETS, assets
from tests.apiserver.server import ApiServer
from tests.daemon.fakes import Clock, FakeProxy
from tests.daemon.node import NFT4, NFT6, Node, node_of_any_cluster, node_of_fake_cluster
from tests.kernel.machine import why_without


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node[Cluster]]:
    """A node whose cluster has no objects yet but the Service `default/kubernetes`."""
    _require_iptables()
    with node_of_any_cluster(tmp_path) as its:
        yield its


@pytest.fixture
def fake_node(tmp_path: Path) -> Iterator[Node[ApiServer]]:
    """The same for tests that need the test server; skipped where the real one is asked for."""
    _require_iptables()
    if assets() is not None:
        pytest.skip(f"needs the test server: unset {ASSETS}")
    with node_of_fake_cluster(tmp_path) as its:
        yield its


@pytest.fixture
def clock() -> Clock:
    """Time as a number, for a loop."""
    return Clock()


@pytest.fixture
def proxy(clock: Clock) -> FakeProxy:
    """What a loop syncs."""
    return FakeProxy(clock)


def _require_iptables() -> None:
    for kind in (NFT4, NFT6):
        if lack := why_without(kind):
            pytest.skip(lack)
