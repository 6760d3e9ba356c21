import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.lab import missing
from tests.daemon.node import Node, node_of_cluster
from tests.security.contained import Contained, open_contained


@pytest.fixture(scope="module", params=["nft", pytest.param("legacy", marks=pytest.mark.night)])
def contained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contained]:
    """The cluster on each backend, its proxies contained."""
    backend = request.param
    if lack := missing():
        pytest.skip(lack)
    if shutil.which(f"iptables-{backend}") is None:
        pytest.skip(f"there is no iptables-{backend}")
    with open_contained(backend, tmp_path_factory.mktemp(f"contained-{backend}")) as its:
        yield its


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """One node, and the test server, which can be told to do what no real one would."""
    with node_of_cluster(tmp_path) as its:
        yield its
