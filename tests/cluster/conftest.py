"""The API server, clients of it that do not wait for long, and reflectors that are stopped in the end."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pykubeproxy.cluster.client import ApiClient, Observer, connect
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, Resource
from pykubeproxy.cluster.timeouts import Backoff, Timeouts
from pykubeproxy.config.types import ClientConnection
from tests.apiserver.faults import Faults
from tests.apiserver.kubeconfig import Auth
from tests.apiserver.server import ApiServer
from tests.cluster.following import BACKOFF, Following

Connect = Callable[..., ApiClient]
Follow = Callable[..., Following]


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
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy and no cluster, whatever the environment says; inline certificates go to files that do not stay."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def connect_to(tmp_path: Path) -> Connect:
    """Makes clients of a server, by way of a kubeconfig whose cluster has these settings as well."""

    def make(
        server: ApiServer,
        *,
        auth: Auth = "token",
        cluster: dict[str, Any] | None = None,
        silence: float = 2.0,
        backoff: Backoff = BACKOFF,
        observer: Observer | None = None,
        qps: float = -1,
        burst: int = 10,
    ) -> ApiClient:
        path = server.kubeconfig(tmp_path / "kubeconfig", auth=auth, cluster=cluster)
        timeouts = Timeouts(connect=2.0, silence=silence, list_silence=min(silence, 1.0))
        settings = ClientConnection(kubeconfig=str(path), qps=qps, burst=burst)
        return connect(settings, timeouts=timeouts, backoff=backoff, observer=observer)

    return make


@pytest.fixture
def follow(connect_to: Connect) -> Iterator[Follow]:
    """Starts reflectors; what is said beside the resource is for their clients."""
    begun: list[Following] = []

    def start(
        server: ApiServer, resource: Resource = ENDPOINT_SLICES, *, can_stream: bool = True, **client: Any
    ) -> Following:
        begun.append(Following(connect_to(server, **client), resource, can_stream=can_stream))
        begun[-1].reflector.start()
        return begun[-1]

    yield start
    for each in begun:
        each.stop()
