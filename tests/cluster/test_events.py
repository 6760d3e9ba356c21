"""Events: what they say, and that nobody waits for them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest

from pykubeproxy.cluster import events
from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.client import Session
from pykubeproxy.cluster.events import Event, EventRecorder, as_api_object
from pykubeproxy.model.service import ServiceKey
from tests.apiserver.faults import Faults
from tests.apiserver.server import ApiServer
from tests.cluster.conftest import Connect
from tests.kernel.machine import wait_until

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
NODE = {"kind": "Node", "apiVersion": "v1", "name": "n"}
WEB = {"kind": "Service", "apiVersion": "v1", "name": "web", "namespace": "ns"}

Record = Callable[..., EventRecorder]


@pytest.fixture
def record(api: ApiServer, connect_to: Connect) -> Iterator[Record]:
    """Makes recorders that try again soon, emit events of these nodes' start, and are stopped in the end."""
    begun: list[EventRecorder] = []

    def make(*nodes: str) -> EventRecorder:
        recorder = EventRecorder(connect_to(api), "host-a", retry_seconds=0.02)
        begun.append(recorder)
        recorder.start()
        for node in nodes:
            recorder.emit(events.starting(node))
        return recorder

    yield make
    for recorder in begun:
        recorder.stop()


def written(api: ApiServer) -> list[str]:
    """What the Events are about."""
    return sorted(event["regarding"]["name"] for event in api.objects("Event"))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (events.starting("n"), ("Normal", "Starting", "", "default", NODE)),
        (events.metrics_failed("n", "é" * 2000), ("Warning", "FailedToStartMetricServer", "é" * 512, "default", NODE)),
        (
            events.health_check_failed("n", ServiceKey("ns", "web"), 30000, "in use"),
            (
                *("Warning", "FailedToStartServiceHealthcheck"),
                *('node n failed to start healthcheck "ns/web" on port 30000: in use', "ns", WEB),
            ),
        ),
    ],
)
def test_what_they_say(event: Event, expected: tuple[object, ...]) -> None:
    """A note is cut to what the API takes; an Event of a Service is in its namespace."""
    obj: Any = as_api_object(event, WHEN, "kube-proxy-host-a")
    assert (obj["type"], obj["reason"], obj["note"], obj["metadata"]["namespace"], obj["regarding"]) == expected
    assert obj["metadata"]["name"].startswith(f"{obj['regarding']['name']}.")
    assert (obj["eventTime"], obj["reportingController"]) == ("2026-01-02T03:04:05.000678Z", "kube-proxy")


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_an_event_waits_for_the_server(api: ApiServer, faults: Faults, record: Record, status: int) -> None:
    if status:
        faults.fail(status, count=3)
    else:
        faults.refuse()
    record("node-a")
    faults.accept()
    wait_until(lambda: written(api) == ["node-a"], "the event")
    (event,) = api.objects("Event")
    assert (event["action"], event["reportingInstance"]) == ("StartKubeProxy", "kube-proxy-host-a")


def test_an_event_whose_answer_was_lost_is_written_once(
    api: ApiServer, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, lost = Session.post, ApiError("the connection was closed", kind="closed")

    def lose_first_answer(session: Session, path: str, obj: object) -> None:
        post(session, path, obj)
        if api.requests.count("create") == 1:
            raise lost

    monkeypatch.setattr(Session, "post", lose_first_answer)
    record("lost", "next")
    wait_until(lambda: "next" in written(api), "the next event")
    assert (written(api), api.requests.count("create")) == (["lost", "next"], 3)


@pytest.mark.parametrize("error", [ApiError("no", kind="status 403", status=403), KeyError("x")], ids=["403", "bug"])
def test_an_event_that_cannot_be_written_is_given_up(
    api: ApiServer, record: Record, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    post, failures = Session.post, iter([error])

    def fail_once(session: Session, path: str, obj: object) -> None:
        for failure in failures:
            raise failure
        post(session, path, obj)

    monkeypatch.setattr(Session, "post", fail_once)
    record("lost", "written")
    wait_until(lambda: written(api) == ["written"], "the next event")
    assert api.requests.count("create") == 1


def test_the_last_one_is_written_before_the_end_without_a_start(api: ApiServer, connect_to: Connect) -> None:
    recorder = EventRecorder(connect_to(api), "host-a")
    recorder.emit(events.healthz_failed("node-a", "in use"))
    recorder.finish(10)
    assert written(api) == ["node-a"]
    assert not recorder._thread.is_alive()


def test_nobody_waits_without_end_however_many_there_are(api: ApiServer, faults: Faults, record: Record) -> None:
    faults.stall()
    recorder = record(*(f"node-{number}" for number in range(1000)))
    assert api.requests.wait(1, "create")
    begun = monotonic()
    recorder.finish(0.1)
    assert monotonic() - begun < 5
    assert not recorder._thread.is_alive()
