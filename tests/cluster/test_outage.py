"""When the API server is asked again, and what the log says of it: with a clock that the test sets."""

import threading
from collections.abc import Callable, Iterator

import pytest
import structlog

from pykubeproxy.cluster.api_error import MALFORMED, ApiError
from pykubeproxy.cluster.outage import Backoff, Outage, WatchFailures
from tests.cluster.following import wait_until

REFUSED = ApiError("refused", kind="errno 111")
NODES = 5000


def answer(status: int, retry_after: float | None = None) -> ApiError:
    return ApiError(f"answers {status}", kind=f"status {status}", status=status, retry_after=retry_after)


class Bed:
    """An Outage whose time stands still; `most` draws the longest of random times, else the shortest."""

    def __init__(self, *, most: bool = True, backoff: Backoff | None = None) -> None:
        self.now = 100.0
        self.outage = Outage(backoff, clock=lambda: self.now, draw=lambda low, high: high if most else low)
        self.stopping = threading.Event()

    def watcher(self, name: str = "services") -> WatchFailures:
        return WatchFailures(name)

    def pause(self, watcher: WatchFailures, error: ApiError) -> float:
        """How long a watch waits that nobody wakes: time passes as soon as it does."""
        begun = self.now
        waits = self.outage._changed.wait

        def passes(timeout: float | None = None) -> bool:
            assert timeout is not None, "it waits for another watch"
            self.now += timeout
            return False

        self.outage._changed.wait = passes  # type: ignore[method-assign]
        try:
            self.outage.failed(watcher, error)
            self.outage.wait(watcher, error, self.stopping)
        finally:
            self.outage._changed.wait = waits  # type: ignore[method-assign]
        return self.now - begun

    def waiting(self, watcher: WatchFailures, error: ApiError) -> threading.Thread:
        """A watch that waits in a thread of its own."""
        before = self.waiters
        thread = threading.Thread(target=self.outage.wait, args=(watcher, error, self.stopping), daemon=True)
        thread.start()
        wait_until(lambda: self.waiters > before, "the wait")
        return thread

    @property
    def waiters(self) -> int:
        return len(self.outage._changed._waiters)  # type: ignore[attr-defined]


class TestAway:
    def test_a_server_without_an_answer_is_tried_every_five_seconds_however_long_it_is_away(self) -> None:
        bed = Bed()
        watcher = bed.watcher()
        assert [bed.pause(watcher, REFUSED) for _ in range(100)] == [5.0] * 100

    def test_the_first_attempt_comes_after_a_part_of_that_at_random(self) -> None:
        assert Bed(most=False).pause(WatchFailures("services"), REFUSED) == 0.0

    def test_all_nodes_together_try_no_more_than_a_thousand_times_a_second(self) -> None:
        attempts: list[float] = []
        for node in range(NODES):
            bed = Bed()
            bed.outage._draw = lambda low, high, node=node: low + (high - low) * node / NODES  # type: ignore[misc]
            watcher = bed.watcher()
            for _ in range(4):
                bed.pause(watcher, REFUSED)
                attempts.append(bed.now)
        busiest = max(sum(begun <= at < begun + 1 for at in attempts) for begun in range(100, 120))
        assert busiest <= NODES / bed.outage.backoff.probe_interval + 1

    def test_an_attempt_that_takes_long_is_followed_at_once(self) -> None:
        bed = Bed()
        watcher = bed.watcher()
        bed.pause(watcher, REFUSED)
        bed.now += 7
        assert bed.pause(watcher, REFUSED) == 0.0

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_one_that_answers_is_asked_again_soon_and_never_after_more_than_five_seconds(self, status: int) -> None:
        bed = Bed()
        watcher = bed.watcher()
        assert [bed.pause(watcher, answer(status)) for _ in range(6)] == [1.0, 2.0, 4.0, 4.5, 4.5, 4.5]

    def test_what_a_server_asks_for_is_honoured(self) -> None:
        assert Bed().pause(WatchFailures("services"), answer(429, retry_after=17)) == 17.0

    def test_one_watch_tries_for_all_and_all_go_on_as_soon_as_one_is_answered(self) -> None:
        bed = Bed()
        probing = bed.waiting(bed.watcher("services"), REFUSED)
        others = [bed.waiting(bed.watcher(name), REFUSED) for name in ("endpointslices", "nodes")]
        bed.now += 5
        bed.outage.wake()
        probing.join(5)
        assert not probing.is_alive(), "it is time for the attempt"
        wait_until(lambda: bed.waiters == len(others), "the others, which wait again")
        bed.outage.answered()
        for other in others:
            other.join(5)
            assert not other.is_alive()

    def test_another_watch_tries_if_the_first_one_stops(self) -> None:
        bed = Bed()
        own_end = threading.Event()
        first = threading.Thread(target=bed.outage.wait, args=(bed.watcher("a"), REFUSED, own_end), daemon=True)
        first.start()
        wait_until(lambda: bed.waiters == 1, "the wait")
        second = bed.waiting(bed.watcher("b"), REFUSED)
        own_end.set()
        bed.outage.wake()
        first.join(5)
        bed.now += 5
        bed.outage.wake()
        second.join(5)
        assert not second.is_alive()


class TestAnswered:
    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refusal_is_asked_about_soon_for_a_minute_and_then_less_often(self, status: int) -> None:
        bed = Bed()
        watcher = bed.watcher()
        backoff = [bed.pause(watcher, answer(status)) for _ in range(30)]
        assert backoff[:4] == [1.0, 2.0, 4.0, 4.5]
        assert max(backoff[:14]) == 4.5
        assert backoff[-1] == 30.0

    def test_a_lost_history_is_listed_at_once_but_not_again_and_again(self) -> None:
        bed = Bed()
        watcher = bed.watcher()
        assert bed.pause(watcher, answer(403)) == 1.0
        assert bed.pause(watcher, answer(410)) == 0.0
        assert bed.pause(watcher, answer(410)) > 0.0

    def test_nothing_of_what_was_before_an_outage_makes_a_pause_longer(self) -> None:
        bed = Bed()
        watcher = bed.watcher()
        for _ in range(50):
            bed.pause(watcher, answer(403))
        bed.pause(watcher, REFUSED)
        bed.outage.answered()
        assert bed.pause(watcher, answer(403)) == 1.0

    def test_nor_does_what_was_before_a_watch_that_has_worked_for_a_while(self) -> None:
        bed = Bed()
        watcher = bed.watcher()
        for _ in range(5):
            bed.pause(watcher, ApiError("no list", kind=MALFORMED))
        watcher.reset()
        assert bed.pause(watcher, answer(403)) == 1.0


@pytest.fixture
def logs() -> Iterator[Callable[[], list[str]]]:
    with structlog.testing.capture_logs() as lines:
        yield lambda: [line.get("error", f"again after {line.get('seconds')} s") for line in lines]


class TestLog:
    def test_an_outage_is_told_once_for_all_watches_and_so_is_its_end(self, logs: Callable[[], list[str]]) -> None:
        bed = Bed()
        watchers = [bed.watcher(name) for name in ("services", "endpointslices", "nodes")]
        for _ in range(3):
            for watcher in watchers:
                bed.outage.failed(watcher, REFUSED)
            bed.now += 4
        for watcher in watchers[:2]:
            bed.outage.works(watcher)
        assert logs() == ["refused"], "it has not all come yet"
        bed.outage.works(watchers[2])
        bed.outage.works(watchers[2])
        assert logs() == ["refused", "again after 12.0 s"]
        assert bed.outage.error(watchers[0]) is None

    def test_a_refusal_is_told_for_each_watch(self, logs: Callable[[], list[str]]) -> None:
        bed = Bed()
        for name in ("services", "nodes", "services"):
            bed.outage.failed(bed.watcher(name), answer(403))
        assert logs() == ["answers 403", "answers 403"]

    def test_another_kind_of_trouble_is_told_as_well(self, logs: Callable[[], list[str]]) -> None:
        bed = Bed()
        for error in (REFUSED, answer(503), answer(503), REFUSED):
            bed.outage.failed(bed.watcher(), error)
        assert logs() == ["refused", "answers 503"]

    def test_what_works_for_a_moment_again_and_again_is_told_once(self, logs: Callable[[], list[str]]) -> None:
        bed = Bed()
        watcher = bed.watcher()
        for _ in range(20):
            bed.outage.failed(watcher, answer(500))
            bed.outage.works(watcher)
            bed.now += 2
        assert logs() == ["answers 500", "again after 0.0 s"]
        bed.now += 20
        bed.outage.failed(watcher, answer(500))
        assert logs()[2:] == ["answers 500"]

    def test_what_works_from_the_start_is_not_told(self, logs: Callable[[], list[str]]) -> None:
        bed = Bed()
        bed.outage.works(bed.watcher())
        assert logs() == []


def test_how_long_it_has_been_away() -> None:
    bed = Bed()
    services, nodes = bed.watcher("services"), bed.watcher("nodes")
    assert bed.outage.failing_for is None
    bed.outage.failed(services, REFUSED)
    bed.now += 7
    bed.outage.failed(nodes, REFUSED)
    assert bed.outage.failing_for == 7.0
    bed.outage.works(services)
    assert bed.outage.failing_for == 7.0
    bed.outage.works(nodes)
    assert bed.outage.failing_for is None
