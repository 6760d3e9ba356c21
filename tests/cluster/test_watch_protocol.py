"""What is asked after what was heard. Pure: no server, no clock."""

import pytest

from pykubeproxy.cluster.input_notes import input_note_text
from pykubeproxy.cluster.watch_protocol import PAGE_SIZE, EventLine, ListBody, ReadEvent, Reply, RequestList, StartWatch
from tests.cluster.talking import (
    BROKEN,
    ENDED,
    PROBE,
    SILENCE,
    STREAM,
    Talk,
    added,
    bookmark,
    deleted,
    error,
    event,
    listed,
    page,
    refusal,
    slice_json,
)

MALFORMED = EventLine(b'{"type":"MODIFIED","object":\x00\xff this is no JSON')
BREAKS = [
    BROKEN,
    MALFORMED,
    *(refusal(code) for code in (401, 403, 404, 410, 429, 500, 503, 504)),
    *map(error, (410, 429, 500, 504)),
]
FIRST_PAGE = {"limit": str(PAGE_SIZE), "resourceVersion": "0"}


class TestStreamingList:
    def test_a_watch_begins_with_everything_and_goes_on_with_changes(self) -> None:
        talk = Talk()
        assert talk.query == STREAM
        talk.say(added("a", 3), added("b", 5))
        assert (talk.step, talk.tracker.has_listed) == (ReadEvent(), False)
        talk.say(bookmark(7, ends_list=True))
        assert (talk.step, talk.tracker.has_listed) == (ReadEvent(), True)
        assert talk.names() == (["a", "b"], [])
        talk.say(deleted("a", 8))
        assert talk.names() == ([], ["a"])

    def test_what_is_deleted_before_the_list_is_complete_is_gone(self) -> None:
        talk = Talk().say(added("a", 3), deleted("a", 4), bookmark(5, ends_list=True))
        assert talk.names() == ([], ["a"])

    @pytest.mark.parametrize("status", [400, 422])
    def test_a_server_that_cannot_stream_is_asked_for_pages_at_once_and_from_then_on(self, status: int) -> None:
        talk = Talk().say(refusal(status))
        assert (type(talk.step), talk.query, talk.pauses) == (RequestList, FIRST_PAGE, False)
        talk.say(page(9), error(410))
        assert (type(talk.step), talk.pauses) == (RequestList, True)

    def test_pages_from_the_start_if_streaming_is_switched_off(self) -> None:
        assert Talk(can_stream=False).query == FIRST_PAGE

    @pytest.mark.parametrize(
        "said", [[], [added("a", 3)], [added("a", 3), bookmark(4)]], ids=["nothing", "some", "more"]
    )
    @pytest.mark.parametrize("breaks", [*BREAKS, ENDED, SILENCE], ids=str)
    def test_whatever_keeps_it_from_its_end_mark_leads_to_pages_at_once(self, said: list[Reply], breaks: Reply) -> None:
        talk = Talk().say(*said, breaks)
        assert (type(talk.step), talk.query, talk.pauses) == (RequestList, FIRST_PAGE, False)
        talk.say(page(5, ("b", 3)))
        assert (type(talk.step), talk.query) == (StartWatch, {"resourceVersion": "5"})
        assert talk.names() == (["b"], ["a"] if said else [])
        assert talk.say(error(410)).query == STREAM, "the next list is tried as a stream again"


class TestPagedList:
    def test_pages_are_fetched_to_the_last_and_then_watched_from_the_version_of_the_list(self) -> None:
        talk = Talk(can_stream=False).say(page(9, ("a", 1), ("b", 2), more="x"))
        assert talk.query == {"limit": str(PAGE_SIZE), "continue": "x"}
        talk.say(page(9, ("c", 3)))
        assert (type(talk.step), talk.query) == (StartWatch, {"resourceVersion": "9"})
        assert talk.names() == (["a", "b", "c"], [])

    def test_nothing_is_complete_before_the_last_page(self) -> None:
        talk = Talk(can_stream=False).say(page(9, ("a", 1), more="x"))
        assert talk.tracker.is_listing
        assert not talk.tracker.has_listed

    def test_a_page_that_fails_is_fetched_again(self) -> None:
        talk = Talk(can_stream=False).say(page(9, ("a", 1), more="x"), refusal(503))
        assert (talk.query, talk.pauses) == ({"limit": str(PAGE_SIZE), "continue": "x"}, True)

    def test_an_expired_continue_begins_again_without_a_limit(self) -> None:
        talk = Talk(can_stream=False).say(page(9, ("a", 1), more="x"), refusal(410))
        assert (talk.query, talk.pauses) == ({}, True)
        talk.say(page(12, ("b", 11)))
        assert talk.query == {"resourceVersion": "12"}
        assert talk.names() == (["b"], ["a"])

    def test_a_new_list_is_never_older_than_what_is_known(self) -> None:
        talk = Talk(can_stream=False).say(page(9), bookmark(30), error(410))
        assert talk.query == {
            "limit": str(PAGE_SIZE),
            "resourceVersion": "30",
            "resourceVersionMatch": "NotOlderThan",
        }

    def test_a_server_that_is_behind_what_is_known_is_asked_for_the_latest(self) -> None:
        talk = Talk(can_stream=False).say(page(30, ("a", 3)), error(410))
        assert talk.names() == (["a"], [])
        talk.say(refusal(504, "Timeout: Too large resource version: 30, current: 4"))
        assert (talk.query, talk.pauses) == ({}, True)
        talk.say(page(9, ("a", 3)))
        assert talk.names() == (["a"], [])

    def test_a_server_that_is_behind_may_have_other_objects_of_the_same_versions(self) -> None:
        talk = listed(("a", 8), version=30)
        talk.say(ENDED, refusal(504, "Timeout: Too large resource version: 30, current: 9"))
        talk.say(added("a", 8), bookmark(9, ends_list=True))
        assert talk.names() == (["a"], [])

    def test_a_server_that_waits_for_a_version_longer_than_we_for_it_is_asked_for_the_latest(self) -> None:
        talk = Talk(can_stream=False).say(page(30, ("a", 8)), error(410), SILENCE)
        assert (talk.query, talk.pauses) == ({}, True)
        assert talk.names() == (["a"], [])
        talk.say(page(9, ("a", 8)))
        assert talk.names() == (["a"], []), "the same version may be another object now"

    def test_a_server_that_is_silent_from_the_start_is_asked_for_no_more_than_before(self) -> None:
        assert Talk(can_stream=False).say(SILENCE).query == FIRST_PAGE

    @pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"kind":"Status","metadata":{},"status":"Success"}', b"[]"])
    def test_something_that_is_no_list_is_trouble_and_removes_nothing(self, body: bytes) -> None:
        talk = Talk(can_stream=False).say(ListBody(body))
        assert (talk.query, talk.pauses) == (FIRST_PAGE, True)
        talk.say(page(9, ("a", 1)), error(410), ListBody(body))
        assert talk.names() == (["a"], [])


class TestWatch:
    def test_the_next_watch_goes_on_from_the_last_version_heard_of(self) -> None:
        assert listed(("a", 3)).say(added("b", 12), ENDED).query == {"resourceVersion": "12"}
        assert listed(("a", 3)).say(deleted("a", 13), ENDED).query == {"resourceVersion": "13"}
        assert listed(("a", 3)).say(bookmark(14), ENDED).query == {"resourceVersion": "14"}
        assert listed(("a", 3), version=10).say(ENDED).query == {"resourceVersion": "10"}

    def test_a_watch_that_ends_in_good_order_is_followed_at_once(self) -> None:
        assert not listed().say(ENDED).pauses

    @pytest.mark.parametrize(
        "breaks", [BROKEN, SILENCE, MALFORMED, error(500), refusal(500), refusal(429), refusal(401), refusal(403)]
    )
    def test_after_trouble_the_version_of_the_server_is_looked_at_first(self, breaks: Reply) -> None:
        talk = listed(("a", 3), version=10).say(added("b", 12), breaks)
        assert (type(talk.step), talk.query, talk.pauses) == (RequestList, PROBE, True)
        talk.say(page(99, ("z", 98)))
        assert (type(talk.step), talk.query, talk.pauses) == (StartWatch, {"resourceVersion": "12"}, False)
        assert talk.names() == (["b"], []), "nothing of that list is taken in"

    def test_that_look_is_repeated_until_there_is_an_answer(self) -> None:
        talk = listed(version=10).say(BROKEN, refusal(500), BROKEN)
        assert (talk.query, talk.pauses) == (PROBE, True)
        assert talk.say(page(10)).query == {"resourceVersion": "10"}

    def test_who_may_only_watch_goes_on_without_that_look(self) -> None:
        assert listed(version=10).say(BROKEN, refusal(403)).query == {"resourceVersion": "10"}

    def test_an_unknown_type_of_event_is_ignored(self) -> None:
        talk = listed(version=10).say(event("NEWS", {"metadata": {"resourceVersion": "99"}}))
        assert talk.step == ReadEvent()
        assert talk.say(ENDED).query == {"resourceVersion": "10"}


class TestLostHistory:
    @pytest.mark.parametrize("lost", [error(410), refusal(410)])
    def test_a_new_list_tells_only_the_differences(self, lost: Reply) -> None:
        talk = listed(("same", 1), ("changed", 2), ("gone", 3), version=10).say(lost)
        assert (talk.query, talk.pauses) == (STREAM, True)
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
        assert (talk.query, talk.pauses) == (STREAM, False)
        talk.say(added("a", 8), bookmark(8, ends_list=True))
        assert talk.names() == (["a"], ["b"]), "the same version may be another object now"
        assert talk.say(ENDED).query == {"resourceVersion": "8"}

    def test_a_server_that_went_back_is_asked_for_pages_of_the_latest(self) -> None:
        talk = Talk(can_stream=False).say(page(10, ("a", 8)), BROKEN, page(5))
        assert (type(talk.step), talk.query) == (RequestList, {})

    def test_versions_that_are_no_numbers_are_not_compared(self) -> None:
        talk = Talk().say(
            event(
                "BOOKMARK",
                {"metadata": {"resourceVersion": "abc", "annotations": {"k8s.io/initial-events-end": "true"}}},
            )
        )
        assert talk.say(BROKEN, page(5)).query == {"resourceVersion": "abc"}


def test_deleted_while_disconnected_and_made_again_is_put_once() -> None:
    talk = listed(("a", 3)).say(deleted("a", 11), added("a", 12))
    assert talk.names() == (["a"], [])


def test_a_bad_object_does_not_stop_the_others() -> None:
    talk = listed(("a", 3)).say(event("MODIFIED", slice_json("a", 11, endpoints="many")), added("b", 12))
    change = talk.tell()
    assert [obj.key.name for obj in change.put] == ["b"]  # type: ignore[union-attr]
    assert [input_note_text(note) for note in change.notes] == [
        "EndpointSlice default/a: endpoints: Expected array | null, got str; skipped"
    ]
    assert talk.say(ENDED).query == {"resourceVersion": "12"}
