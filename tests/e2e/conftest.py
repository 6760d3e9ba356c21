from collections.abc import Iterator

import pytest

from e2e.cluster import Cluster
from e2e.proxies import CLUSTER_CIDR
from tests.e2e.combinations import Combination, ThreeNodes, open_three_nodes


@pytest.fixture(scope="session")
def three_nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    its: Combination = request.param
    flags = (f"--cluster-cidr={CLUSTER_CIDR}", f"--backend={its.backend}", f"--dispatch={its.dispatch}")
    with open_three_nodes(its.backend, tmp_path_factory.mktemp(f"three-nodes-{its}"), Cluster.start, flags) as made:
        yield made
