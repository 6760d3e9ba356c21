"""Twenty changes a second, for a while here, an hour with `make soak`: nothing grows, and nothing is lost."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pykubeproxy.host.backend import Backend
from tests.chaos.bed import Bed
from tests.chaos.churn import churning
from tests.chaos.usage import Sample, least, trend, watched

SECONDS = float(os.environ.get("PYKUBEPROXY_SOAK_SECONDS", "20"))
RATE = 20
SAMPLES = 120
DISTURBANCES = 12
GROWTH = 1.05


def test_nothing_grows_and_nothing_is_lost(bed: Bed, figure: Callable[[str, object], None]) -> None:
    bed.start()
    with bed.unharmed() as sent:
        change_for(SECONDS / DISTURBANCES, bed)
        before = at_rest(bed)
        with disturbed(bed), watched(bed.pid, SECONDS / SAMPLES) as samples:
            steps = change_for(SECONDS, bed)
        after = at_rest(bed)
        bed.wait_converged()
    its = trend(samples)
    figure("changes a second", round(steps / SECONDS, 1))
    figure("connections, none of which failed", sent.asked)
    figure("memory in MB, beginning and end", [round(each[-1].memory / 1e6, 1) for each in (its.early, its.late)])
    figure("growth of memory", round(its.memory, 3))
    figure("threads and open files, before and after", [(each.threads, each.files) for each in (before, after)])
    assert steps > RATE * SECONDS / 2, "there were changes all the time"
    assert its.memory < GROWTH
    assert after.threads <= before.threads
    assert after.files <= before.files
    assert not bed.proxy.told("internal error")
    assert not bed.proxy.told("sync failed")


def change_for(seconds: float, bed: Bed) -> int:
    """Change Services all the time; return how many changes there were."""
    begun = time.monotonic()
    with churning(bed.api, rate=RATE) as churn:
        bed.cluster.wait(lambda: time.monotonic() - begun > seconds, "the end", seconds + 60)
    return churn.steps


def at_rest(bed: Bed) -> Sample:
    """What the daemon holds while it has nothing to do: the least of many looks."""
    bed.wait_in_sync()
    with watched(bed.pid, 0.02) as samples:
        bed.cluster.wait(lambda: len(samples) >= SAMPLES, "looks")
    return least(samples)


@contextmanager
def disturbed(bed: Bed) -> Iterator[None]:
    """During the block, what happens in a long life happens now and then: watches end, others change the rules."""
    is_over = threading.Event()
    filter_rules = [f"iptables-{Backend(bed.backend)}", "-t", "filter", "-F"]
    things: list[Callable[[], object]] = [
        lambda: bed.api.faults.break_watches("end"),
        lambda: bed.node.exec(filter_rules),
        lambda: bed.api.faults.break_watches("expired"),
    ]

    def disturb() -> None:
        for thing in itertools.cycle(things):
            if is_over.wait(SECONDS / DISTURBANCES):
                return
            thing()

    thread = threading.Thread(target=disturb, name="disturbances")
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
