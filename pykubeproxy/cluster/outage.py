"""When to ask the API server again: decided here, for all watches of one client.

A watch that fails asks again, and the question is when. Too early, and five thousand nodes together keep a server down
that is about to come back; too late, and a Service that was created meanwhile is not served. The answer depends on who
gave no, or no good, answer:

    state      how it is known                       who asks next, and when
    reachable  the last request was answered         each watch by itself: at once after "410 Gone", which is how a
                                                     healthy server asks for a new list; else after a short pause,
                                                     which doubles while the same watch goes on failing
    away       a request got no answer, or one of    one watch for all, the probe; whatever answer it gets, all others
               an overloaded or broken server        go on at once
               (429, 5xx)

Away, and with no answer at all, each attempt is a new connection: probes are PROBE_INTERVAL apart, and the first comes
after a part of that at random, so that N nodes make N / PROBE_INTERVAL attempts a second and each of them notices
within PROBE_INTERVAL that the server is back. Answers come over a connection that stays open; there the pause doubles
from a second to LONGEST_PAUSE.
"""

import math
import random
import threading
import time
from collections.abc import Callable

from pykubeproxy import logger
from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.timeouts import Backoff

log = logger.get()


class WatchFailures:
    """The failures of one watch so far. `name` is for the log; only the watch's own thread changes the rest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        self.failing_since = math.inf
        self.was_expired = False
        self.recovery = 0

    def reset(self) -> None:
        """The watch works: the next failure is a first one."""
        self.failures = 0
        self.failing_since = math.inf
        self.was_expired = False


class Outage:
    """The state of one API server, as the watches of a client find it. Any thread may call; `clock` is in seconds.

    `draw` gives a number between its arguments, at random.
    """

    def __init__(
        self,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.backoff = backoff or Backoff()
        self._clock = clock
        self._draw = draw
        self._changed = threading.Condition()
        self._is_away = self._gives_no_answer = False
        self._recoveries = 0
        self._probe: WatchFailures | None = None
        self._probe_at = 0.0
        self._report = _Report(self.backoff.stable_after)

    def log_nothing(self) -> None:
        """Leave it to others to say what goes wrong: a command that asks once ends with an error of its own."""
        self._report.is_logged = False

    def answered(self) -> None:
        """The server has answered a request, and is neither overloaded nor broken: all watches may go on."""
        with self._changed:
            # A server that gave no answer was away or restarted: what went wrong before says nothing any more.
            self._recoveries += self._is_away and self._gives_no_answer
            self._is_away = False
            self._probe = None
            self._changed.notify_all()

    def works(self, watcher: WatchFailures) -> None:
        """A watch has listed all objects, and receives changes."""
        with self._changed:
            self._report.works(watcher.name, self._clock())

    def failed(self, watcher: WatchFailures, error: ApiError) -> None:
        """A request of a watch, or the watch itself, has failed."""
        with self._changed:
            self._report.failed(watcher.name, error, self._clock())

    def error(self, watcher: WatchFailures) -> ApiError | None:
        """What keeps a watch from working; None if nothing is known to."""
        with self._changed:
            return self._report.errors.get(watcher.name)

    @property
    def failing_for(self) -> float | None:
        """Seconds since the first failure of those that still keep a watch from working; None if nothing does."""
        with self._changed:
            return self._clock() - self._report.since if self._report.errors else None

    def wait(self, watcher: WatchFailures, error: ApiError, stopping: threading.Event) -> None:
        """After `error`, return when it is time for this watch to ask again, or once it is `stopping`."""
        with self._changed:
            if error.is_of_server:
                self._wait_for_server(watcher, error, stopping)
                return
            due = self._clock() + self._pause(watcher, error)
            while not stopping.is_set() and (left := due - self._clock()) > 0:
                self._changed.wait(left)

    def wake(self) -> None:
        """Have all that wait look whether they are to stop."""
        with self._changed:
            self._changed.notify_all()

    def _wait_for_server(self, watcher: WatchFailures, error: ApiError, stopping: threading.Event) -> None:
        is_first = not self._is_away
        if is_first:
            self._is_away, self._probe = True, watcher
        self._gives_no_answer = error.status is None
        if self._probe is watcher:
            self._probe_at = self._next_probe(watcher, error, is_first=is_first)
        while self._is_away and not stopping.is_set():
            if self._probe is None:
                self._probe = watcher
            left = self._probe_at - self._clock() if self._probe is watcher else None
            if left is not None and left <= 0:
                return
            self._changed.wait(left)
        if self._probe is watcher:
            # One that stops leaves the next attempt to another.
            self._probe = None
            self._changed.notify_all()

    def _next_probe(self, watcher: WatchFailures, error: ApiError, *, is_first: bool) -> float:
        """The time of the next attempt to reach a server that is away."""
        now = self._clock()
        if error.status is not None:
            watcher.failures += 1
            return now + max(self._doubled(watcher.failures, self.backoff.maximum), error.retry_after or 0.0)
        if is_first:
            return now + self._draw(0, self.backoff.probe_interval)
        # A refused attempt takes no time, one that nobody answers takes long: the interval counts from its beginning.
        return max(self._probe_at + self.backoff.probe_interval, now)

    def _pause(self, watcher: WatchFailures, error: ApiError) -> float:
        """The seconds until a watch asks again whose own request was answered, but not as it should be."""
        now = self._clock()
        if watcher.recovery != self._recoveries:
            watcher.recovery = self._recoveries
            watcher.reset()
        watcher.failures += 1
        watcher.failing_since = min(watcher.failing_since, now)
        is_repeated, watcher.was_expired = watcher.was_expired, error.is_expired
        if error.is_expired and not is_repeated:
            return 0.0
        is_persistent = now - watcher.failing_since > self.backoff.refused_after
        longest = self.backoff.refused_maximum if is_persistent else self.backoff.maximum
        return max(self._doubled(watcher.failures, longest), error.retry_after or 0.0)

    def _doubled(self, failures: int, longest: float) -> float:
        most = min(self.backoff.initial * 2.0 ** min(failures - 1, 32), longest)
        return self._draw(most / 2, most)


class _Report:
    """What is logged: each kind of error once, and once for all watches that all of them work again."""

    def __init__(self, stable_after: float) -> None:
        self.errors: dict[str, ApiError] = {}
        self.is_logged = True
        self._stable_after = stable_after
        self._logged: set[tuple[str, str]] = set()
        self._is_failure_logged = False
        self.since = 0.0
        self._works_since = -math.inf

    def failed(self, name: str, error: ApiError, now: float) -> None:
        if not self.errors:
            if now - self._works_since >= self._stable_after:
                self._logged.clear()
            self.since = now
        self.errors[name] = error
        # What is wrong with the server is the same for all watches; a refusal concerns one of them.
        key = ("" if error.is_of_server else name, error.kind)
        if key in self._logged or not self.is_logged:
            return
        self._logged.add(key)
        self._is_failure_logged = True
        message = "cannot follow the API server; the rules in force stay, and it is tried again"
        log.warning(message, resource=name, error=str(error))

    def works(self, name: str, now: float) -> None:
        if self.errors.pop(name, None) is None or self.errors:
            return
        self._works_since = now
        if self._is_failure_logged:
            self._is_failure_logged = False
            log.info("following the API server again", seconds=round(now - self.since, 1))
