"""The ``api`` fixture: the test server, or the real one if KUBEBUILDER_ASSETS is set.

Use it by ``from tests.apiserver.fixtures import *`` in a conftest.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apiserver.cluster import Cluster
from tests.apiserver.faults import Faults
from tests.apiserver.real import ASSETS, RealApiServer, assets
from tests.apiserver.server import ApiServer

__all__ = ["api", "fake_api", "faults", "real_cluster"]


@pytest.fixture(scope="session")
def real_cluster() -> Iterator[RealApiServer | None]:
    """The real servers, started once; None without KUBEBUILDER_ASSETS."""
    programs = assets()
    if programs is None:
        yield None
        return
    with RealApiServer(programs) as cluster:
        yield cluster


@pytest.fixture
def api(real_cluster: RealApiServer | None) -> Iterator[Cluster]:
    """An API server that has nothing but the Service ``default/kubernetes``."""
    if real_cluster is None:
        with ApiServer() as server:
            yield server
        return
    yield real_cluster
    real_cluster.reset()


@pytest.fixture
def fake_api(real_cluster: RealApiServer | None) -> Iterator[ApiServer]:
    """The test server, for what only it can do; skips the test where the real one is asked for."""
    if real_cluster is not None:
        pytest.skip(f"needs the test server: unset {ASSETS}")
    with ApiServer() as server:
        yield server


@pytest.fixture
def faults(fake_api: ApiServer) -> Faults:
    """What goes wrong on demand, of the ``fake_api``."""
    return fake_api.faults
