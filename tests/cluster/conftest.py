"""The API server, and clients of it that do not wait for long."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pykubeproxy.cluster.client import ApiClient, connect
from pykubeproxy.cluster.connections import Timeouts
from pykubeproxy.config.types import ClientConnection
from tests.apiserver.faults import Faults
from tests.apiserver.server import ApiServer
from tests.cluster.following import BACKOFF, Follow, Following

QUICK = Timeouts(connect=2.0, silence=2.0, list_silence=1.0)

Connect = Callable[[ApiServer], ApiClient]


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """An API server that has nothing but the Service ``default/kubernetes``."""
    with ApiServer() as server:
        yield server


@pytest.fixture
def faults(api: ApiServer) -> Faults:
    """What goes wrong on demand."""
    return api.faults


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go straight to the test server, whatever the environment says."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def certificates_stay_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client writes inline certificates to temporary files, and removes them when a process ends in good order."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def connect_to(tmp_path: Path) -> Connect:
    """Makes a client for a server, by way of a kubeconfig."""

    def make(server: ApiServer) -> ApiClient:
        path = server.kubeconfig(tmp_path / "kubeconfig")
        return connect(ClientConnection(kubeconfig=str(path), qps=-1), timeouts=QUICK, backoff=BACKOFF)

    return make


@pytest.fixture
def follow(connect_to: Connect) -> Iterator[Follow]:
    """Makes reflectors, and stops them in the end."""
    begun: list[Following] = []
    yield Follow(begun, connect_to)
    for each in begun:
        each.stop()
