"""Events: what they say, and that nobody waits for them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest
from structlog.testing import capture_logs

from pykubeproxy.cluster import events
from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.client import Session
from pykubeproxy.cluster.events import Event, EventRecorder, as_api_object
from pykubeproxy.model.service import ServiceKey
from tests.apiserver.faults import Faults
from tests.apiserver.server import ApiServer
from tests.cluster.conftest import Connect
from tests.cluster.following import wait_until

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
KIND = "Event"

Record = Callable[[ApiServer], EventRecorder]


@pytest.fixture
def record(connect_to: Connect) -> Iterator[Record]:
    """Makes recorders that try again soon, and stops them in the end."""
    begun: list[EventRecorder] = []

    def make(server: ApiServer) -> EventRecorder:
        begun.append(EventRecorder(connect_to(server), "host-a", retry_seconds=0.02))
        begun[-1].start()
        return begun[-1]

    yield make
    for recorder in begun:
        recorder.stop()


def written(api: ApiServer) -> list[dict[str, Any]]:
    return [event for event in api.objects(KIND) if event["reportingController"] == "kube-proxy"]


def test_starting(api: ApiServer, record: Record) -> None:
    record(api).emit(events.starting("node-a"))
    wait_until(lambda: len(written(api)) == 1, "the event")
    (event,) = written(api)
    expected = {
        "type": "Normal",
        "reason": "Starting",
        "action": "StartKubeProxy",
        "reportingController": "kube-proxy",
        "reportingInstance": "kube-proxy-host-a",
        "regarding": {"kind": "Node", "apiVersion": "v1", "name": "node-a"},
    }
    assert {key: event[key] for key in expected} == expected
    assert event["metadata"]["namespace"] == "default"
    assert event["metadata"]["name"].startswith("node-a.")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (events.healthz_failed("n", "in use"), ("Warning", "FailedToStartProxierHealthcheck", "in use")),
        (events.metrics_failed("n", "in use"), ("Warning", "FailedToStartMetricServer", "in use")),
        (
            events.health_check_failed("n", ServiceKey("ns", "web"), 30000, "in use"),
            (
                "Warning",
                "FailedToStartServiceHealthcheck",
                'node n failed to start healthcheck "ns/web" on port 30000: in use',
            ),
        ),
    ],
)
def test_what_they_say(event: Event, expected: tuple[str, str, str]) -> None:
    obj = as_api_object(event, WHEN, "kube-proxy-host-a")
    assert (obj["type"], obj["reason"], obj["note"]) == expected
    assert obj["eventTime"] == "2026-01-02T03:04:05.000678Z"


def test_an_event_of_a_service_is_in_its_namespace() -> None:
    obj: Any = as_api_object(events.health_check_failed("n", ServiceKey("ns", "web"), 1, "x"), WHEN, "i")
    assert obj["metadata"]["namespace"] == "ns"
    assert obj["regarding"] == {"kind": "Service", "apiVersion": "v1", "name": "web", "namespace": "ns"}


def test_a_long_note_is_cut_to_what_the_api_takes() -> None:
    note = as_api_object(events.metrics_failed("n", "é" * 2000), WHEN, "i")["note"]
    assert note == "é" * 512


def test_an_event_waits_for_the_server(api: ApiServer, faults: Faults, record: Record) -> None:
    faults.refuse()
    recorder = record(api)
    recorder.emit(events.starting("node-a"))
    faults.accept()
    wait_until(lambda: len(written(api)) == 1, "the event")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(api: ApiServer, faults: Faults, record: Record, status: int) -> None:
    faults.fail(status, count=3, verb="create")
    record(api).emit(events.starting("node-a"))
    wait_until(lambda: len(written(api)) == 1, "the event")


def test_an_event_whose_answer_was_lost_is_written_once(
    api: ApiServer, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, lost = Session.post, ApiError("the connection was closed", kind="closed")

    def lose_first_answer(session: Session, path: str, obj: object) -> None:
        post(session, path, obj)
        if api.requests.count("create") == 1:
            raise lost

    monkeypatch.setattr(Session, "post", lose_first_answer)
    recorder = record(api)
    recorder.emit(events.starting("lost"))
    recorder.emit(events.starting("next"))
    wait_until(lambda: any(event["regarding"]["name"] == "next" for event in written(api)), "the next event")
    assert sorted(event["regarding"]["name"] for event in written(api)) == ["lost", "next"]
    assert api.requests.count("create") == 3


def test_a_refused_event_is_given_up_and_the_next_one_written(api: ApiServer, faults: Faults, record: Record) -> None:
    faults.fail(403, verb="create")
    recorder = record(api)
    recorder.emit(events.starting("refused"))
    recorder.emit(events.starting("written"))
    wait_until(lambda: len(written(api)) == 1, "the event")
    assert written(api)[0]["regarding"]["name"] == "written"
    assert api.requests.count("create") == 2


def test_an_error_that_nobody_thought_of_costs_one_event(
    api: ApiServer, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = record(api)
    post, failures = recorder._session.post, iter([KeyError("x")])

    def fail_once(path: str, obj: object) -> None:
        if error := next(failures, None):
            raise error
        post(path, obj)

    monkeypatch.setattr(recorder._session, "post", fail_once)
    with capture_logs() as logs:
        recorder.emit(events.starting("lost"))
        recorder.emit(events.starting("written"))
        wait_until(lambda: len(written(api)) == 1, "the event")
    assert [line["event"] for line in logs] == ["an event was not written: internal error"]
    assert written(api)[0]["regarding"]["name"] == "written"


def test_the_last_one_is_written_before_the_end_without_a_start(api: ApiServer, connect_to: Connect) -> None:
    recorder = EventRecorder(connect_to(api), "host-a")
    recorder.emit(events.healthz_failed("node-a", "in use"))
    recorder.finish(10)
    assert [event["note"] for event in written(api)] == ["in use"]
    assert not recorder._thread.is_alive()


def test_it_is_not_waited_for_without_end(api: ApiServer, faults: Faults, connect_to: Connect) -> None:
    faults.stall()
    recorder = EventRecorder(connect_to(api), "host-a")
    recorder.emit(events.metrics_failed("node-a", "in use"))
    begun = monotonic()
    recorder.finish(0.1)
    assert monotonic() - begun < 5
    assert not recorder._thread.is_alive()


def test_nobody_waits_however_many_there_are(api: ApiServer, faults: Faults, record: Record) -> None:
    faults.stall()
    recorder = record(api)
    for number in range(1000):
        recorder.emit(events.starting(f"node-{number}"))
    assert api.requests.wait(1, "create")
    recorder.stop()
    assert not recorder._thread.is_alive()
