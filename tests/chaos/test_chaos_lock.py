"""Another program holds the lock that the legacy tools share, for longer than the daemon waits for it."""

import fcntl
import os
from pathlib import Path

from tests.chaos.bed import PODS, Bed, cluster_ips
from tests.chaos.churn import churning

REFUSED = "sync failed; the rules in force stay, and it is tried again"


def test_nobody_notices_that_the_lock_is_held(legacy_bed: Bed) -> None:
    bed = legacy_bed
    bed.load(2, PODS[0])
    proxy = bed.start("--iptables-sync-period=2s")
    with bed.unharmed(), Path(os.environ["XTABLES_LOCKFILE"]).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with churning(bed.api):
            bed.load(2, PODS[1])
            bed.cluster.wait(lambda: {line["family"] for line in proxy.told(REFUSED)} == {"IPv4", "IPv6"}, "refusals")
        assert bed.answer(cluster_ips(2)[0], seconds=5.0) == PODS[0].name, "the rules in force stay"
        told = len(proxy.told(REFUSED))
        bed.cluster.wait(lambda: len(proxy.told(REFUSED)) >= told + 3, "that it is tried again, though nothing changes")
        fcntl.flock(lock, fcntl.LOCK_UN)
        bed.wait_in_sync()
        bed.wait_converged()
    assert {line["error"].partition(": ")[2] for line in proxy.told(REFUSED)} == {
        "another program has held the xtables lock for 5 s"
    }
