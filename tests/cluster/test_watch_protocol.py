"""What is asked after what was heard, and what is told of it. Pure: no server, no clock."""

import json
from random import Random

import pytest

from pykubeproxy.cluster.api_error import READ_TIMEOUT, ApiError, refused
from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES, Resource
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.cluster.watch_protocol import (
    PAGE_SIZE,
    Command,
    EventLine,
    ListBody,
    ReadOn,
    Reply,
    RequestFailed,
    RequestList,
    StartWatch,
    Uncompressed,
    WatchEnded,
    WatchProtocol,
    WatchState,
)
from pykubeproxy.model.snapshot import ObjectId, identify

BROKEN = RequestFailed(ApiError("broken off", kind="broken"))
SILENCE = RequestFailed(ApiError("no answer in time", kind=READ_TIMEOUT))
ENDED = WatchEnded()


def slice_json(name: str, version: int | str, **fields: object) -> dict[str, object]:
    labels = {"kubernetes.io/service-name": name}
    metadata = {"name": name, "namespace": "default", "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata, "addressType": "IPv4"} | fields


def event(kind: str, obj: object) -> EventLine:
    return EventLine(json.dumps({"type": kind, "object": obj}).encode())


def added(name: str, version: int) -> EventLine:
    return event("ADDED", slice_json(name, version))


def deleted(name: str, version: int) -> EventLine:
    return event("DELETED", slice_json(name, version))


def bookmark(version: int | str, *, ends_list: bool = False) -> EventLine:
    annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if ends_list else {}
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)} | annotations})


def error(code: int) -> EventLine:
    return event("ERROR", {"kind": "Status", "code": code, "message": "no"})


def page(version: int, *objects: tuple[str, int], more: str = "") -> ListBody:
    metadata = {"resourceVersion": str(version)} | ({"continue": more} if more else {})
    items = [slice_json(name, each) for name, each in objects]
    return ListBody(json.dumps({"metadata": metadata, "items": items or None}).encode())


def part(version: int, *objects: tuple[str, int]) -> ListBody:
    return ListBody(page(version, *objects, more="later").data, is_last=False)


def refusal(status: int, text: str = "no") -> RequestFailed:
    return RequestFailed(refused(status, text.encode()))


def names(change: ObjectChanges) -> tuple[list[str], list[str]]:
    """The names of what was put and of what was removed."""
    return sorted(identify(obj).name for obj in change.put), sorted(name.name for name in change.removed)


class Talk:
    """A conversation: `say` something, look at the `step` that follows, `names` what has changed since then."""

    def __init__(self, *, can_stream: bool = True) -> None:
        self.tracker = Tracker(ENDPOINT_SLICES)
        self._protocol = WatchProtocol(self.tracker, can_stream=can_stream, watch_seconds=lambda: 300)

    @property
    def step(self) -> Command:
        """What the protocol asks for next."""
        return self._protocol.command

    @property
    def state(self) -> WatchState:
        return self._protocol.state

    def say(self, *heard: Reply) -> "Talk":
        for each in heard:
            self._protocol.take(each)
        return self

    def names(self) -> tuple[list[str], list[str]]:
        return names(self.tracker.take())

    @property
    def query(self) -> dict[str, str]:
        """What the step asks for, but for what every watch asks for."""
        assert isinstance(self.step, RequestList | StartWatch), self.step
        usual = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "300"}
        if isinstance(self.step, StartWatch):
            assert usual.items() <= self.step.query.items()
            assert self.step.is_list == ("sendInitialEvents" in self.step.query)
            return {key: text for key, text in self.step.query.items() if key not in usual}
        return self.step.query

    @property
    def asks(self) -> tuple[type, dict[str, str], bool]:
        """What kind of request the step is, what it asks for, and whether it comes after a pause for trouble."""
        return type(self.step), self.query, not isinstance(self.step, ReadOn) and self.step.after is not None


def listed(*objects: tuple[str, int], version: int = 10) -> Talk:
    """A conversation that has come to the end of its first list."""
    talk = Talk().say(*(added(name, each) for name, each in objects), bookmark(version, ends_list=True))
    talk.names()
    return talk


MALFORMED = EventLine(b'{"type":"MODIFIED","object":\x00\xff this is no JSON')
BREAKS = [
    BROKEN,
    MALFORMED,
    *(refusal(code) for code in (401, 403, 404, 410, 429, 500, 503, 504)),
    *map(error, (410, 429, 500, 504)),
]
TOO_NEW = refusal(504, "Timeout: Too large resource version: 30, current: 9")
STREAM = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
PAGES = {"limit": str(PAGE_SIZE)}
FIRST_PAGE = PAGES | {"resourceVersion": "0"}
PAUSED = True


def paged(*heard: Reply) -> Talk:
    return Talk(can_stream=False).say(*heard)


def watch_from(version: str) -> tuple[type, dict[str, str], bool]:
    return StartWatch, {"resourceVersion": version}, not PAUSED


class TestStreamingList:
    def test_a_watch_begins_with_everything_and_goes_on_with_changes(self) -> None:
        talk = Talk()
        assert talk.query == STREAM
        talk.say(added("a", 3), added("b", 5))
        assert (talk.step, talk.tracker.has_listed) == (ReadOn(), False)
        talk.say(bookmark(7, ends_list=True))
        assert (talk.step, talk.tracker.has_listed) == (ReadOn(), True)
        assert talk.names() == (["a", "b"], [])
        talk.say(deleted("a", 8))
        assert talk.names() == ([], ["a"])

    @pytest.mark.parametrize("reply", [refusal(400), refusal(422), Uncompressed()], ids=["400", "422", "uncompressed"])
    def test_a_server_that_cannot_stream_is_asked_for_pages_at_once_and_from_then_on(self, reply: Reply) -> None:
        talk = Talk().say(reply)
        assert talk.asks == (RequestList, FIRST_PAGE, not PAUSED)
        talk.say(page(9), error(410))
        assert talk.asks == (
            RequestList,
            PAGES | {"resourceVersion": "9", "resourceVersionMatch": "NotOlderThan"},
            PAUSED,
        )

    @pytest.mark.parametrize(
        "said", [[], [added("a", 3)], [added("a", 3), bookmark(4)]], ids=["nothing", "some", "more"]
    )
    @pytest.mark.parametrize("breaks", [*BREAKS, ENDED, SILENCE])
    def test_whatever_keeps_it_from_its_end_mark_leads_to_pages_at_once(self, said: list[Reply], breaks: Reply) -> None:
        talk = Talk().say(*said, breaks)
        assert talk.asks == (RequestList, FIRST_PAGE, not PAUSED)
        assert talk.say(page(5, ("b", 3))).asks == watch_from("5")
        assert talk.names() == (["b"], ["a"] if said else [])
        assert talk.say(error(410)).query == STREAM, "the next list is tried as a stream again"


class TestPagedList:
    def test_pages_are_fetched_to_the_last_and_then_watched_from_the_version_of_the_list(self) -> None:
        assert Talk(can_stream=False).query == FIRST_PAGE
        talk = paged(page(9, ("a", 1), ("b", 2), more="x"))
        assert talk.query == PAGES | {"continue": "x"}
        assert (talk.tracker.is_listing, talk.tracker.has_listed) == (True, False)
        assert talk.say(page(9, ("c", 3))).asks == watch_from("9")
        assert talk.names() == (["a", "b", "c"], [])

    @pytest.mark.parametrize("parts", [(), (part(9, ("b", 2)), part(9, ("c", 2)))], ids=["at once", "half read"])
    def test_a_page_that_fails_is_fetched_again(self, parts: tuple[Reply, ...]) -> None:
        talk = paged(page(9, ("a", 1), more="x"), *parts)
        assert not parts or talk.step == ReadOn()
        assert talk.say(refusal(503)).asks == (RequestList, PAGES | {"continue": "x"}, PAUSED)
        assert talk.names() == (["a", "b", "c"] if parts else ["a"], []), "what has come is kept"

    def test_an_expired_continue_begins_again_without_a_limit(self) -> None:
        talk = paged(page(9, ("a", 1), more="x"), refusal(410))
        assert talk.asks == (RequestList, {}, PAUSED)
        assert talk.say(page(12, ("b", 11))).query == {"resourceVersion": "12"}
        assert talk.names() == (["b"], ["a"])

    def test_a_new_list_is_never_older_than_what_is_known(self) -> None:
        talk = paged(page(9), bookmark(30), error(410))
        assert talk.query == PAGES | {"resourceVersion": "30", "resourceVersionMatch": "NotOlderThan"}

    @pytest.mark.parametrize("behind", [TOO_NEW, SILENCE], ids=str)
    def test_a_server_that_is_behind_what_is_known_is_asked_for_the_latest(self, behind: Reply) -> None:
        """It says so, or waits for the version longer than we for it."""
        talk = paged(page(30, ("a", 8)), error(410), behind)
        assert talk.asks == (RequestList, {}, PAUSED)
        assert talk.names() == (["a"], [])
        talk.say(page(9, ("a", 8)))
        assert talk.names() == (["a"], []), "the same version may be another object now"

    @pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"kind":"Status","metadata":{},"status":"Success"}', b"[]"])
    def test_something_that_is_no_list_is_trouble_and_removes_nothing(self, body: bytes) -> None:
        talk = paged(ListBody(body))
        assert talk.asks == (RequestList, FIRST_PAGE, PAUSED)
        talk.say(page(9, ("a", 1)), error(410), ListBody(body))
        assert talk.names() == (["a"], [])


class TestWatch:
    @pytest.mark.parametrize(
        ("heard", "version"), [([], "10"), ([added("b", 12)], "12"), ([deleted("a", 13)], "13"), ([bookmark(14)], "14")]
    )
    def test_the_next_watch_goes_on_at_once_from_the_last_version_heard_of(
        self, heard: list[Reply], version: str
    ) -> None:
        assert listed(("a", 3)).say(*heard, ENDED).asks == watch_from(version)

    @pytest.mark.parametrize(
        "breaks", [BROKEN, SILENCE, MALFORMED, error(500), refusal(500), refusal(429), refusal(401), refusal(403)]
    )
    def test_after_trouble_the_version_of_the_server_is_looked_at_first(self, breaks: Reply) -> None:
        talk = listed(("a", 3), version=10).say(added("b", 12), breaks)
        for trouble in (refusal(500), BROKEN):
            assert talk.asks == (RequestList, {"limit": "1"}, PAUSED)
            talk.say(trouble)
        assert talk.say(page(99, ("z", 98))).asks == watch_from("12")
        assert talk.names() == (["b"], []), "nothing of that list is taken in"

    def test_who_may_only_watch_goes_on_without_that_look(self) -> None:
        assert listed(version=10).say(BROKEN, refusal(403)).asks == watch_from("10")

    def test_an_unknown_type_of_event_is_ignored(self) -> None:
        talk = listed(version=10).say(event("NEWS", {"metadata": {"resourceVersion": "99"}}))
        assert talk.step == ReadOn()
        assert talk.say(ENDED).query == {"resourceVersion": "10"}


class TestLostHistory:
    @pytest.mark.parametrize("lost", [error(410), refusal(410)])
    def test_a_new_list_tells_only_the_differences(self, lost: Reply) -> None:
        talk = listed(("same", 1), ("changed", 2), ("gone", 3), version=10).say(lost)
        assert talk.asks == (StartWatch, STREAM, PAUSED)
        talk.say(added("changed", 20), added("new", 21), added("same", 1))
        assert talk.names() == (["changed", "new"], []), "nothing is removed before the list is complete"
        talk.say(bookmark(22, ends_list=True))
        assert talk.names() == ([], ["gone"])

    def test_a_new_list_that_breaks_off_removes_nothing(self) -> None:
        talk = listed(("a", 1), ("b", 2)).say(error(410), added("a", 1), BROKEN)
        assert talk.names() == ([], [])
        talk.say(page(30, ("a", 1), ("b", 2)))
        assert talk.names() == ([], [])

    @pytest.mark.parametrize("status", [400, 422])
    def test_a_version_that_the_server_does_not_take_is_as_lost(self, status: int) -> None:
        assert listed(version=10).say(ENDED, refusal(status)).query == STREAM

    def test_a_server_that_went_back_is_listed_anew_and_its_versions_are_not_trusted(self) -> None:
        talk = listed(("a", 8), ("b", 9), version=10).say(BROKEN, page(5))
        assert talk.asks == (StartWatch, STREAM, not PAUSED)
        talk.say(added("a", 8), bookmark(8, ends_list=True))
        assert talk.names() == (["a"], ["b"]), "the same version may be another object now"
        assert talk.say(ENDED).query == {"resourceVersion": "8"}
        assert paged(page(10, ("a", 8)), BROKEN, page(5)).asks == (RequestList, {}, not PAUSED)

    def test_versions_that_are_no_numbers_are_not_compared(self) -> None:
        assert Talk().say(bookmark("abc", ends_list=True), BROKEN, page(5)).query == {"resourceVersion": "abc"}


ERRORS: list[Reply] = [BROKEN, SILENCE, *map(refusal, (400, 403, 410, 500)), refusal(504, "Too large resource version")]
LISTS: list[Reply] = [page(2), page(9, ("a", 8)), page(30, more="next"), part(9, ("a", 8)), *ERRORS]
EVENTS: list[Reply] = [
    *(added("a", 11), deleted("a", 12), bookmark(20), bookmark(25, ends_list=True), ENDED),
    *(EventLine(b"{"), error(410), error(500), *ERRORS),
]


def test_there_is_a_row_in_the_table_for_whatever_happens() -> None:
    random = Random(1)  # noqa: S311  chance that can be repeated
    steps: set[type[Command]] = set()
    for number in range(200):
        talk = Talk(can_stream=number % 4 > 0)
        for _ in range(50):
            talk.say(random.choice(LISTS if talk.state in (WatchState.PAGES, WatchState.PROBE) else EVENTS))
            steps.add(type(talk.step))
    assert steps == {RequestList, StartWatch, ReadOn}


# The tracker: from wire objects to changes.


def encoded(name: str, version: int, **fields: object) -> bytes:
    return json.dumps(slice_json(name, version, **fields)).encode()


def service(name: str, version: int, **spec: object) -> bytes:
    metadata = {"name": name, "namespace": "default", "resourceVersion": str(version)}
    return json.dumps({"metadata": metadata, "spec": {"clusterIP": "10.96.0.7"} | spec}).encode()


def tracker_of(resource: Resource, *objects: bytes) -> Tracker:
    """A tracker that has told of these objects."""
    tracker = Tracker(resource)
    for obj in objects:
        tracker.put(obj)
    tracker.take()
    return tracker


def test_the_last_state_of_an_object_is_told_once() -> None:
    tracker = Tracker(ENDPOINT_SLICES)
    assert tracker.put(encoded("a", 1)) == "1"
    tracker.put(encoded("b", 2))
    assert names(tracker.take()) == (["a", "b"], [])
    tracker.put(encoded("a", 1))
    assert tracker.remove(encoded("never there", 3)) == "3"
    assert tracker.take().is_empty
    tracker.remove(encoded("a", 3))
    tracker.remove(encoded("b", 4))
    tracker.put(encoded("b", 5))
    assert names(tracker.take()) == (["b"], ["a"])


def test_a_slice_that_is_of_no_use_any_more_is_removed() -> None:
    tracker = tracker_of(ENDPOINT_SLICES, encoded("a", 1))
    tracker.put(encoded("a", 2, addressType="FQDN"))
    change = tracker.take()
    assert change.removed == (ObjectId("EndpointSlice", "default", "a"),)
    assert [(input_note_text(note), note.is_error) for note in change.notes] == [
        ("EndpointSlice default/a: addressType: 'FQDN' is neither IPv4 nor IPv6; left out", False)
    ]


def test_parts_that_are_left_out_are_noted_once_per_version() -> None:
    tracker = Tracker(SERVICES)
    for version in (1, 1, 2):
        tracker.put(service("web", version, externalIPs=["192.0.2.999"]))
    change = tracker.take()
    note = "Service default/web: spec.externalIPs[0]: '192.0.2.999' is not an IP address; left out"
    assert (len(change.put), [input_note_text(it) for it in change.notes]) == (1, [note, note])


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ({"clusterIP": "x"}, "spec.clusterIP: 'x' is not an IP address, \"None\" or empty; skipped"),
        ({"ports": [{"port": "http"}]}, "spec.ports[0].port: Expected int, got str; skipped"),
    ],
)
def test_a_bad_object_is_noted_and_its_last_good_state_stays(bad: dict[str, object], problem: str) -> None:
    tracker = tracker_of(SERVICES, service("web", 1))
    assert tracker.put(service("web", 2, **bad)) == "2"
    tracker.begin_list()
    tracker.put(service("web", 2, **bad))
    tracker.end_list()
    change = tracker.take()
    assert (change.put, change.removed) == ((), ())
    assert [input_note_text(note) for note in change.notes] == [f"Service default/web: {problem}"]
    tracker.remove(service("web", 3, **bad))
    assert names(tracker.take()) == ([], ["web"])


@pytest.mark.parametrize("data", [b"{}", b'{"metadata":{"name":5}}', b"[]", b'"text"', b'{"metadata":null}'])
def test_what_has_no_name_is_noted(data: bytes) -> None:
    tracker = Tracker(SERVICES)
    assert tracker.put(data) == ""
    change = tracker.take()
    assert (change.put, len(change.notes)) == ((), 1)
