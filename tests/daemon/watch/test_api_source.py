"""The threads that follow the API server: what they tell the loop, and that none of them holds up the end."""

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from pykubeproxy.cluster.events import starting
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.messages import Message, ObjectsChanged, ObjectsListed
from pykubeproxy.daemon.watch import api_source
from pykubeproxy.daemon.watch.api_source import ApiSource
from pykubeproxy.model.node import Node
from tests.builders import NODE, service

KINDS = ("Service", "EndpointSlice", "Node")


class Threads:
    """Mocks of all the threads: one recorder of Events, and a reflector of each kind, whose end takes long."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.may_end = threading.Event()
        self.reflectors = {kind: Mock(error=None, **{"stop.side_effect": self.may_end.wait}) for kind in KINDS}
        self.recorder = Mock()
        self.tell: dict[str, Any] = {}
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        patch.setattr(api_source, "Reflector", self.reflector)
        patch.setattr(api_source, "EventRecorder", lambda *_: self.recorder)

    def reflector(self, _: object, resource: Any, **callbacks: Any) -> Mock:
        self.tell[resource.kind] = SimpleNamespace(**callbacks)
        return self.reflectors[resource.kind]

    def source(self, weakness: str | None = None, **fields: Any) -> ApiSource:
        client: Any = SimpleNamespace(server="https://10.0.0.1", weakness=weakness)
        its = ApiSource(client, NODE, "host", self.inbox, **fields)
        its.start()
        return its


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Threads]:
    its = Threads(monkeypatch)
    yield its
    its.may_end.set()


def test_what_reflectors_tell_reaches_the_loop(threads: Threads) -> None:
    its = threads.source()
    assert all(reflector.start.called for reflector in threads.reflectors.values())
    change, node = ObjectChanges(put=(service(),)), ObjectChanges(put=(Node(name=NODE),))
    with capture_logs() as logs:
        for kind, news in (("Service", change), ("Node", node)):
            threads.tell[kind].on_change(news)
            threads.tell[kind].on_listed(kind)
    assert [threads.inbox.get_nowait() for _ in range(threads.inbox.qsize())] == [
        ObjectsChanged(change),
        ObjectsListed(frozenset({"Service"})),
        ObjectsChanged(node),
        ObjectsListed(frozenset({"Node"})),
    ]
    assert [call.args[0].reason for call in threads.recorder.emit.call_args_list] == ["Starting"]
    assert (its.errors, logs) == ({}, [])
    threads.reflectors["Node"].error = "forbidden"
    assert its.errors == {"Node": "forbidden"}


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


def test_threads_that_do_not_end_are_left_behind(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_source, "_STOP_SECONDS", 0.05)
    ending = threading.Thread(target=threads.source().stop, daemon=True)
    ending.start()
    ending.join(10)
    assert not ending.is_alive()
