from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.lab import missing
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from tests.chaos.bed import Bed, open_bed
from tests.kernel.machine import Kind, why_without


@pytest.fixture(params=[Backend.NFT, pytest.param(Backend.LEGACY, marks=pytest.mark.night)])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each backend that this machine has."""
    for lack in (missing(), *(why_without(Kind(family=family, backend=request.param)) for family in Family)):
        if lack:
            pytest.skip(lack)
    return Backend(request.param)


@pytest.fixture
def bed(tmp_path: Path, backend: Backend) -> Iterator[Bed]:
    """A cluster on each backend, its daemon not started yet."""
    with open_bed(tmp_path, backend) as its:
        yield its
