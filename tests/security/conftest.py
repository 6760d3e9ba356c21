from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.node import Node, node_of_cluster


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """One node, and the test server, which can be told to do what no real one would."""
    with node_of_cluster(tmp_path) as its:
        yield its
