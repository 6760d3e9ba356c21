from collections.abc import Iterator

import pytest

from e2e.cluster import Cluster
from e2e.proxies import CLUSTER_CIDR
from tests.e2e.combinations import ThreeNodes, open_three_nodes


@pytest.fixture(scope="package")
def three_nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    backend, dispatch = request.param.split("-")
    flags = (f"--cluster-cidr={CLUSTER_CIDR}", f"--backend={backend}", f"--dispatch={dispatch}")
    with open_three_nodes(backend, tmp_path_factory.mktemp("three-nodes"), Cluster.start, flags) as made:
        yield made
