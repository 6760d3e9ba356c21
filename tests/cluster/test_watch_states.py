"""The table of the watch protocol's states, and the machine that goes by it."""

from random import Random

import pytest

from pykubeproxy.cluster import watch_protocol
from pykubeproxy.cluster.watch_protocol import (
    TRANSITIONS,
    EventLine,
    Reply,
    RequestList,
    Transition,
    Trigger,
    WatchState,
)
from tests.cluster.talking import BROKEN, ENDED, SILENCE, Talk, added, bookmark, deleted, error, page, refusal

ERRORS: list[Reply] = [BROKEN, SILENCE, *map(refusal, (400, 403, 410, 500)), refusal(504, "Too large resource version")]
LISTS: list[Reply] = [page(2), page(9, ("a", 8)), page(30, more="next"), *ERRORS]
EVENTS: list[Reply] = [
    *(added("a", 11), deleted("a", 12), bookmark(20), bookmark(25, ends_list=True), ENDED),
    *(EventLine(b"{"), error(410), error(500), *ERRORS),
]


class Recorder(dict[tuple[WatchState, Trigger], Transition]):
    """The table, which takes note of the rows that are looked up."""

    def __init__(self) -> None:
        super().__init__(TRANSITIONS)
        self.used: set[tuple[WatchState, Trigger]] = set()

    def __getitem__(self, row: tuple[WatchState, Trigger]) -> Transition:
        self.used.add(row)
        return super().__getitem__(row)


def test_every_row_of_the_table_occurs_and_there_is_a_row_for_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Recorder()
    monkeypatch.setattr(watch_protocol, "TRANSITIONS", table)
    random = Random(1)  # noqa: S311  chance that can be repeated
    for number in range(200):
        talk = Talk(can_stream=number % 4 > 0)
        for _ in range(50):
            talk.say(random.choice(LISTS if isinstance(talk.step, RequestList) else EVENTS))
    assert table.used == set(TRANSITIONS)


def test_each_state_can_be_left_each_cause_leads_somewhere_and_only_an_open_watch_is_read_on() -> None:
    assert {state for state, _ in TRANSITIONS} == {row.to for row in TRANSITIONS.values()} == set(WatchState)
    assert {cause for _, cause in TRANSITIONS} == set(Trigger)
    assert {row for row, transition in TRANSITIONS.items() if transition.reads_on} == {
        (WatchState.STREAM, Trigger.EVENT),
        (WatchState.STREAM, Trigger.LIST_COMPLETE),
        (WatchState.WATCH, Trigger.EVENT),
    }
