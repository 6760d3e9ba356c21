"""The daemon is killed at random moments, again and again: nobody notices, and no change is lost."""

import time
from collections import Counter
from collections.abc import Callable
from random import Random

from tests.chaos.bed import IS_FULL, SEED, Bed
from tests.chaos.children import restoring
from tests.chaos.churn import churning

KILLS = 100 if IS_FULL else 15
# A daemon that is started does its first sync after about a second here.
LONGEST_LIFE = 2.0


def test_nobody_notices_kills(bed: Bed, figure: Callable[[str, object], None]) -> None:
    random = Random(SEED)  # noqa: S311  it has to be repeatable
    moments: Counter[str] = Counter()
    bed.start()
    with bed.unharmed() as sent:
        with churning(bed.api) as churn:
            for _ in range(KILLS):
                time.sleep(random.uniform(0, LONGEST_LIFE))
                moments[moment(bed)] += 1
                bed.cluster.kill("node-a")
                bed.launch()
            assert churn.steps > KILLS, "Services changed all the time"
        bed.cluster.wait(bed.proxy.has_synced, "sync after the last kill")
        bed.wait_in_sync()
        bed.wait_converged()
    figure("kills survived", dict(moments))
    figure("connections while killing", sent.asked)


def moment(bed: Bed) -> str:
    """What the daemon is doing just now."""
    if restoring(bed.pid):
        return "writing rules"
    return "following" if bed.proxy.has_synced() else "starting"
