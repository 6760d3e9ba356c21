"""Twenty changes a second, for a while here, an hour with `make soak`: nothing grows, and nothing is lost."""

import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.chaos.bed import Bed, churning, meanwhile, memory

SECONDS = float(os.environ.get("PYKUBEPROXY_SOAK_SECONDS", "40"))
RATE = 20
SAMPLES = 120
DISTURBANCES = 12
GROWTH = 1.05


def test_nothing_grows_and_nothing_is_lost(bed: Bed, record_property: Callable[[str, object], None]) -> None:
    bed.start()
    held: list[int] = []

    def watch(is_over: threading.Event) -> None:
        while not is_over.wait(SECONDS / SAMPLES):
            held.append(memory(bed.pid))

    def disturb(is_over: threading.Event) -> None:
        """What happens in a long life happens now and then: watches end, others change the rules."""
        things: list[Callable[[], object]] = [
            lambda: bed.api.faults.break_watches("end"),
            lambda: bed.flush("filter"),
            lambda: bed.api.faults.break_watches("expired"),
        ]
        for thing in itertools.cycle(things):
            if is_over.wait(SECONDS / DISTURBANCES):
                return
            thing()

    with bed.unharmed() as sent:
        change_for(SECONDS / DISTURBANCES, bed)
        before = at_rest(bed)
        with meanwhile(watch), meanwhile(disturb):
            steps = change_for(SECONDS, bed)
        after = at_rest(bed)
        bed.wait_converged()
    # In the first quarter the program is warming up; the middle of the second one is held against that of the last.
    quarter = len(held) // 4
    early, late = median(held[quarter : 2 * quarter]), median(held[-quarter:])
    record_property("changes a second", round(steps / SECONDS, 1))
    record_property("connections, none of which failed", sent.asked)
    record_property("memory in MB, beginning and end, and its growth", (early / 1e6, late / 1e6, late / early))
    record_property("threads and open files, before and after", (before, after))
    assert quarter >= 2, "too few samples to compare"
    assert steps > RATE * SECONDS / 2, "there were changes all the time"
    assert late < GROWTH * early
    assert after[0] <= before[0]
    assert after[1] <= before[1]
    assert not bed.proxy.told("internal error")
    assert not bed.proxy.told("sync failed")


def change_for(seconds: float, bed: Bed) -> int:
    """Change Services all the time; return how many changes there were."""
    begun = time.monotonic()
    with churning(bed.api, rate=RATE) as churn:
        bed.cluster.wait(lambda: time.monotonic() - begun > seconds, "the end", seconds + 60)
    return churn.steps


def at_rest(bed: Bed) -> tuple[int, int]:
    """How many threads and files the daemon holds while it has nothing to do: the least of many looks."""
    bed.wait_in_sync()
    samples = []
    for _ in range(SAMPLES):
        samples.append([len(list(Path("/proc", str(bed.pid), name).iterdir())) for name in ("task", "fd")])
        time.sleep(0.02)
    threads, files = map(min, zip(*samples, strict=True))
    return threads, files
