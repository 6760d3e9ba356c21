"""Twenty changes a second, for a minute here and for an hour with `make soak`: nothing grows, and nothing is lost."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pykubeproxy.host.backend import Backend
from tests.chaos.bed import Bed
from tests.chaos.churn import churning
from tests.chaos.usage import trend, watched

SECONDS = float(os.environ.get("PYKUBEPROXY_SOAK_SECONDS", "60"))
RATE = 20
SAMPLES = 120
DISTURBANCES = 12
GROWTH = 1.05


def test_nothing_grows_and_nothing_is_lost(bed: Bed, figure: Callable[[str, object], None]) -> None:
    bed.start()
    begun = time.monotonic()
    with bed.unharmed() as sent:
        with churning(bed.api, rate=RATE) as churn, disturbed(bed), watched(bed.pid, SECONDS / SAMPLES) as samples:
            bed.cluster.wait(lambda: time.monotonic() - begun > SECONDS, "the end", SECONDS + 60)
        bed.wait_in_sync()
        bed.wait_converged()
    its = trend(samples)
    figure("changes a second", round(churn.steps / samples[-1].at, 1))
    figure("seconds", round(samples[-1].at))
    figure("connections, none of which failed", sent.asked)
    figure(
        "memory in MB in the second and in the last quarter",
        [round(each[-1].memory / 1e6, 1) for each in (its.early, its.late)],
    )
    figure("growth of memory, threads, open files", (round(its.memory, 3), its.threads, its.files))
    assert churn.steps > RATE * SECONDS / 2, "there were changes all the time"
    assert its.memory < GROWTH
    assert (its.threads, its.files) == (0, 0)
    assert not bed.proxy.told("internal error")
    assert not bed.proxy.told("sync failed")


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
