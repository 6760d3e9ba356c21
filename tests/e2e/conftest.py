from collections.abc import Iterator

import pytest

from tests.e2e.combinations import Combination, ThreeNodes, open_three_nodes


@pytest.fixture(scope="session")
def three_nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    combination: Combination = request.param
    with open_three_nodes(combination, tmp_path_factory.mktemp(f"three-nodes-{combination}")) as its:
        yield its
