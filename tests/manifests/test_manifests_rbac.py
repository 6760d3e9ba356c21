"""The ClusterRole allows what the program asks of the API server, all of it and nothing else."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest

from pykubeproxy.cluster.client import connect
from pykubeproxy.config.types import ClientConnection
from pykubeproxy.daemon.messages import Message
from pykubeproxy.daemon.watch.api_source import ApiSource
from tests.apiserver.server import ApiServer
from tests.manifests.reading import the

Permission = tuple[str, str, str]  # API group, resource, verb

WATCHED = ("services", "endpointslices", "nodes")


def allowed() -> Iterator[Permission]:
    for rule in the("ClusterRole")["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield from ((group, resource, verb) for verb in rule["verbs"])


def asked(folder: Path, *, can_stream: bool) -> set[Permission]:
    """What a run of the daemon's source of objects asks for until it follows everything and has written an Event."""
    with ApiServer() as server:
        settings = ClientConnection(kubeconfig=str(server.kubeconfig(folder / "kubeconfig")), qps=-1)
        inbox: SimpleQueue[Message] = SimpleQueue()
        source = ApiSource(connect(settings), "node-a", "host-a", inbox, can_stream=can_stream)
        with ExitStack() as stopping:
            stopping.callback(source.stop)
            source.start()
            for resource in WATCHED:
                assert server.requests.wait(1, "watch", resource)
            assert server.requests.wait(1, "create", "events")
        return {(_group(request.path), request.resource, request.verb) for request in server.requests.requests()}


def _group(path: str) -> str:
    """The API group in /apis/GROUP/v1/…; none in /api/v1/…."""
    return path.split("/")[2] if path.startswith("/apis/") else ""


@pytest.fixture
def needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[Permission]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where the client writes the kubeconfig's certificates
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return asked(tmp_path, can_stream=True) | asked(tmp_path, can_stream=False)


def test_the_role_allows_exactly_what_is_asked_for_and_nothing_twice(needed: set[Permission]) -> None:
    assert sorted(allowed()) == sorted(needed)
