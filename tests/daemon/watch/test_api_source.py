"""What the threads that follow the API server warn of; other tests of the daemon have what they tell the loop."""

from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from pykubeproxy.cluster.events import starting
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.watch import api_source
from pykubeproxy.daemon.watch.api_source import ApiSource
from tests.builders import NODE


class Threads:
    """Mocks of all the threads: one recorder of Events, and what each kind of reflector calls."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.recorder = Mock()
        self.tell: dict[str, Any] = {}
        patch.setattr(api_source, "Reflector", self.reflector)
        patch.setattr(api_source, "EventRecorder", lambda *_: self.recorder)

    def reflector(self, _: object, resource: Any, **callbacks: Any) -> Mock:
        self.tell[resource.kind] = SimpleNamespace(**callbacks)
        return Mock(error=None)

    def source(self, weakness: str | None = None, **fields: Any) -> ApiSource:
        client: Any = SimpleNamespace(server="https://10.0.0.1", weakness=weakness)
        its = ApiSource(client, NODE, "host", SimpleQueue(), **fields)
        its.start()
        return its


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    return Threads(monkeypatch)


@pytest.mark.parametrize("weakness", [None, "its certificate is not verified"])
def test_a_server_that_anybody_could_pose_as_is_warned_of_once(threads: Threads, weakness: str | None) -> None:
    with capture_logs() as logs:
        threads.source(weakness)
    warnings = [(line["server"], line["why"]) for line in logs if line["log_level"] == "warning"]
    assert warnings == ([("https://10.0.0.1", weakness)] if weakness else [])


def test_a_shadow_writes_no_events_and_a_node_that_does_not_exist_is_told_of(threads: Threads) -> None:
    threads.source(emits_events=False).emit(starting(NODE))
    with capture_logs() as logs:
        threads.tell["Node"].on_change(ObjectChanges())
        threads.tell["Node"].on_listed("Node")
    assert [line["log_level"] for line in logs] == ["error"]
    assert not threads.recorder.mock_calls
