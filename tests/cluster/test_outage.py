"""When the API server is asked again, and what the log says of it: with a clock that the test sets."""

import threading
from collections.abc import Callable, Iterator

import pytest
import structlog

from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.outage import Outage, WatchFailures
from tests.kernel.machine import wait_until

REFUSED = ApiError("refused", kind="errno 111")
NODES = 5000


def answer(status: int, retry_after: float | None = None) -> ApiError:
    return ApiError(f"answers {status}", kind=f"status {status}", status=status, retry_after=retry_after)


class Bed:
    """An Outage whose time stands still; `drawn` says which of random times is drawn, from the shortest to the longest.

    It has watches of three resources.
    """

    def __init__(self, *, drawn: float = 1.0) -> None:
        self.now = 100.0
        self.outage = Outage(None, clock=lambda: self.now, draw=lambda low, high: low + (high - low) * drawn)
        self.watches = [WatchFailures(name) for name in ("services", "endpointslices", "nodes")]

    def pauses(self, *errors: ApiError) -> list[float]:
        """How long a watch waits after each error that nobody wakes: time passes as soon as it does."""
        waits, found = self.outage._changed.wait, []

        def passes(timeout: float | None = None) -> bool:
            assert timeout is not None, "it waits for another watch"
            self.now += timeout
            return False

        self.outage._changed.wait = passes  # type: ignore[method-assign]
        for error in errors:
            begun = self.now
            self.outage.failed(self.watches[0], error)
            self.outage.wait(self.watches[0], error, threading.Event())
            found.append(self.now - begun)
        self.outage._changed.wait = waits  # type: ignore[method-assign]
        return found

    def waiting(self, watch: WatchFailures, stopping: threading.Event | None = None) -> threading.Thread:
        """A watch that waits in a thread of its own."""
        before, stopping = self.waiters, stopping or threading.Event()
        thread = threading.Thread(target=self.outage.wait, args=(watch, REFUSED, stopping), daemon=True)
        thread.start()
        wait_until(lambda: self.waiters > before, "the wait")
        return thread

    @property
    def waiters(self) -> int:
        return len(self.outage._changed._waiters)  # type: ignore[attr-defined]


@pytest.fixture
def bed() -> Bed:
    return Bed()


def has_ended(thread: threading.Thread) -> bool:
    thread.join(5)
    return not thread.is_alive()


SOON = [1.0, 2.0, 4.0, 4.5]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        *(([answer(status)] * 6, [*SOON, 4.5, 4.5]) for status in (429, 500, 503)),
        ([answer(429, retry_after=17)], [17.0]),
        *(([answer(status)] * 30, [*SOON, *[4.5] * 11, *[30.0] * 15]) for status in (401, 403)),
    ],
    ids=["busy", "internal", "unavailable", "as-asked", "unauthorized", "forbidden"],
)
def test_how_long_it_waits_after_an_answer(bed: Bed, errors: list[ApiError], expected: list[float]) -> None:
    """A refusal is asked about soon for a minute, and then less often."""
    assert bed.pauses(*errors) == expected


class TestAway:
    def test_a_server_without_an_answer_is_tried_every_five_seconds_however_long_it_is_away(self, bed: Bed) -> None:
        assert bed.pauses(*[REFUSED] * 100) == [5.0] * 100

    def test_all_nodes_together_try_no_more_than_a_thousand_times_a_second(self) -> None:
        """The first attempt comes after a part of the five seconds at random."""
        attempts: list[float] = []
        for node in range(NODES):
            bed = Bed(drawn=node / NODES)
            for _ in range(4):
                bed.pauses(REFUSED)
                attempts.append(bed.now)
        assert min(attempts) == 100.0
        busiest = max(sum(begun <= at < begun + 1 for at in attempts) for begun in range(100, 120))
        assert busiest <= NODES / bed.outage.backoff.probe_interval + 1

    def test_one_watch_tries_for_all_and_all_go_on_as_soon_as_one_is_answered(self, bed: Bed) -> None:
        probing, *others = map(bed.waiting, bed.watches)
        bed.now += 5
        bed.outage.wake()
        assert has_ended(probing), "it is time for the attempt"
        wait_until(lambda: bed.waiters == len(others), "the others, which wait again")
        bed.outage.answered()
        assert all(map(has_ended, others))

    def test_another_watch_tries_if_the_first_one_stops(self, bed: Bed) -> None:
        stopping = threading.Event()
        first, second = bed.waiting(bed.watches[0], stopping), bed.waiting(bed.watches[1])
        stopping.set()
        bed.outage.wake()
        assert has_ended(first)
        bed.now += 5
        bed.outage.wake()
        assert has_ended(second)


class TestAnswered:
    def test_a_lost_history_is_listed_at_once_but_not_again_and_again(self, bed: Bed) -> None:
        first, second, third = bed.pauses(answer(403), answer(410), answer(410))
        assert (first, second) == (1.0, 0.0)
        assert third > 0.0

    def test_nothing_of_what_was_before_an_outage_makes_a_pause_longer(self, bed: Bed) -> None:
        bed.pauses(*[answer(403)] * 50, REFUSED)
        bed.outage.answered()
        assert bed.pauses(answer(403)) == [1.0]
        bed.pauses(*[answer(403)] * 5)
        bed.watches[0].reset()
        assert bed.pauses(answer(403)) == [1.0], "nor does what was before a watch that has worked for a while"


@pytest.fixture
def logs() -> Iterator[Callable[[], list[str]]]:
    with structlog.testing.capture_logs() as lines:
        yield lambda: [line.get("error", f"again after {line.get('seconds')} s") for line in lines]


class TestLog:
    def test_an_outage_is_told_once_for_all_watches_and_so_is_its_end(
        self, bed: Bed, logs: Callable[[], list[str]]
    ) -> None:
        for _ in range(3):
            for watch in bed.watches:
                bed.outage.failed(watch, REFUSED)
            bed.now += 4
        for watch in bed.watches[:2]:
            bed.outage.works(watch)
        assert logs() == ["refused"], "it has not all come yet"
        assert (bed.outage.failing_for, str(bed.outage.error(bed.watches[2]))) == (12.0, "refused")
        bed.outage.works(bed.watches[2])
        bed.outage.works(bed.watches[2])
        assert logs() == ["refused", "again after 12.0 s"]
        assert (bed.outage.failing_for, bed.outage.error(bed.watches[0])) == (None, None)

    @pytest.mark.parametrize(
        ("troubles", "told"),
        [
            ([(0, answer(403)), (2, answer(403)), (0, answer(403))], ["answers 403", "answers 403"]),
            ([(0, error) for error in (REFUSED, answer(503), answer(503), REFUSED)], ["refused", "answers 503"]),
        ],
        ids=["a refusal, for each watch", "another kind of trouble"],
    )
    def test_each_trouble_is_told_once(
        self, bed: Bed, logs: Callable[[], list[str]], troubles: list[tuple[int, ApiError]], told: list[str]
    ) -> None:
        for number, error in troubles:
            bed.outage.failed(bed.watches[number], error)
        assert logs() == told

    def test_what_works_for_a_moment_again_and_again_is_told_once(
        self, bed: Bed, logs: Callable[[], list[str]]
    ) -> None:
        watch = bed.watches[0]
        bed.outage.works(watch)
        assert logs() == [], "what works from the start is not told"
        for _ in range(20):
            bed.outage.failed(watch, answer(500))
            bed.outage.works(watch)
            bed.now += 2
        assert logs() == ["answers 500", "again after 0.0 s"]
        bed.now += 20
        bed.outage.failed(watch, answer(500))
        assert logs()[2:] == ["answers 500"]
