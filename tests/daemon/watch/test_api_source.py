"""The threads that follow the API server: what they tell the loop, and that none of them holds up the end."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from pykubeproxy.cluster.client import ApiClient
from pykubeproxy.cluster.events import Event, starting
from pykubeproxy.cluster.resources import Resource
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.daemon.messages import Message, ObjectsChanged, ObjectsListed
from pykubeproxy.daemon.watch import api_source
from pykubeproxy.daemon.watch.api_source import ApiSource
from pykubeproxy.model.node import Node
from tests.builders import NODE, service

Inbox = SimpleQueue[Message]


class FakeReflector:
    """Tells what the test has it tell; its end takes until `may_end`."""

    made: ClassVar[dict[str, "FakeReflector"]] = {}
    may_end = threading.Event()

    def __init__(
        self,
        client: ApiClient,
        resource: Resource,
        *,
        on_change: Callable[[ObjectChanges], None],
        on_listed: Callable[[str], None],
        can_stream: bool,
    ) -> None:
        del client, can_stream
        self.error: str | None = None
        self.is_started = False
        self.change, self.listed = on_change, on_listed
        self.made[resource.kind] = self

    def start(self) -> None:
        self.is_started = True

    def stop(self) -> None:
        self.may_end.wait()


class FakeRecorder:
    """Keeps Events."""

    emitted: ClassVar[list[Event]] = []

    def __init__(self, *_: object) -> None:
        self.emitted.clear()

    def emit(self, event: Event) -> None:
        self.emitted.append(event)

    def start(self) -> None:
        pass

    def stop(self) -> None:
        FakeReflector.may_end.wait()


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(api_source, "Reflector", FakeReflector)
    monkeypatch.setattr(api_source, "EventRecorder", FakeRecorder)
    FakeReflector.may_end.clear()
    yield
    FakeReflector.may_end.set()


def source(inbox: Inbox, weakness: str | None = None, **fields: Any) -> ApiSource:
    client: Any = SimpleNamespace(server="https://10.0.0.1", weakness=weakness)
    return ApiSource(client, NODE, "host", inbox, **fields)


def test_what_reflectors_tell_reaches_the_loop() -> None:
    inbox: Inbox = SimpleQueue()
    source(inbox).start()
    made = FakeReflector.made
    assert {kind: each.is_started for kind, each in made.items()} == dict.fromkeys(
        ("Service", "EndpointSlice", "Node"), True
    )
    change = ObjectChanges(put=(service(),))
    made["Service"].change(change)
    made["Service"].listed("Service")
    made["Node"].change(ObjectChanges(put=(Node(name=NODE),)))
    made["Node"].listed("Node")
    told = [inbox.get_nowait() for _ in range(inbox.qsize())]
    assert told[:2] == [ObjectsChanged(change), ObjectsListed(frozenset({"Service"}))]
    assert told[3] == ObjectsListed(frozenset({"Node"}))
    assert [event.reason for event in FakeRecorder.emitted] == ["Starting"]


@pytest.mark.parametrize("weakness", [None, "its certificate is not verified"])
def test_a_server_that_anybody_could_pose_as_is_warned_of_once(weakness: str | None) -> None:
    with capture_logs() as logs:
        source(SimpleQueue(), weakness).start()
    warnings = [(line["server"], line["why"]) for line in logs if line["log_level"] == "warning"]
    assert warnings == ([("https://10.0.0.1", weakness)] if weakness else [])


@pytest.mark.parametrize(("nodes", "levels"), [((Node(name=NODE),), []), ((), ["error"])], ids=["there", "not there"])
def test_a_node_that_does_not_exist_is_told_of(nodes: tuple[Node, ...], levels: list[str]) -> None:
    source(SimpleQueue()).start()
    with capture_logs() as logs:
        FakeReflector.made["Node"].change(ObjectChanges(put=nodes))
        FakeReflector.made["Node"].listed("Node")
    assert [line["log_level"] for line in logs] == levels


def test_trouble_is_known_by_kind() -> None:
    its = source(SimpleQueue())
    assert its.errors == {}
    FakeReflector.made["Node"].error = "forbidden"
    assert its.errors == {"Node": "forbidden"}


def test_a_shadow_writes_no_events() -> None:
    its = source(SimpleQueue(), emits_events=False)
    its.start()
    its.emit(starting(NODE))
    assert FakeRecorder.emitted == []


def test_threads_that_do_not_end_are_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_source, "_STOP_SECONDS", 0.05)
    its = source(SimpleQueue())
    its.start()
    ending = threading.Thread(target=its.stop, daemon=True)
    ending.start()
    ending.join(10)
    assert not ending.is_alive()
