"""The daemon may open no more files, or its log cannot be written: it goes on, and makes up for it afterwards."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.bed import PODS, RUN, Bed, cluster_ips
from tests.chaos.churn import churning

SYNC_PERIOD = "--iptables-sync-period=2s"


@contextmanager
def no_more_files(pid: int) -> Iterator[None]:
    """A process may open no more files than it has."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_nobody_notices_that_it_may_open_no_more_files(bed: Bed) -> None:
    bed.load(2, PODS[0])
    proxy = bed.start(SYNC_PERIOD)
    with bed.unharmed():
        with no_more_files(bed.pid):
            bed.load(2, PODS[1])
            bed.cluster.wait(lambda: proxy.told("sync failed") != [], "a sync that is not possible")
            bed.node.exec([f"iptables-{bed.backend}", "-t", "filter", "-F"])
            bed.api.faults.break_watches("reset")
            bed.cluster.wait(lambda: proxy.told("cannot follow the API server") != [], "a watch that is not possible")
            bed.outside.exec(
                ["curl", "-s", "-m", "1", f"http://{bed.node.spec.addresses[0]}:10256/healthz"], check=False
            )
            with churning(bed.api) as churn:
                bed.cluster.wait(lambda: churn.steps > 20, "more changes")
        bed.wait_in_sync()
        bed.wait_converged()
    assert {line["error"] for line in proxy.told("sync failed") if "Too many open files" not in line["error"]} == set()
    assert not proxy.told("internal error")


def test_nobody_notices_that_the_log_cannot_be_written(any_bed: Bed) -> None:
    bed = any_bed
    bed.load(2, PODS[0])
    bed.launch(program=("sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh", *RUN))
    bed.wait_answer(cluster_ips(2)[0], PODS[0].name)
    with bed.unharmed():
        bed.wait_converged()
        right = bed.dump()
        bed.node.exec([f"iptables-{bed.backend}", "-t", "filter", "-F"])
        bed.cluster.wait(lambda: bed.dump() == right, "repair")
        bed.api.faults.restart()
        bed.wait_converged()
