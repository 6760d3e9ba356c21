"""Killed at random moments, again and again, the daemon and its iptables-restore: nobody notices, no change is lost."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

from e2e.cluster import RUN
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Ruleset
from tests.apiserver import testing
from tests.apiserver.objects import JsonObject
from tests.chaos.bed import IS_FULL, PODS, SEED, Bed, churning, meanwhile, on_nft, with_path
from tests.kernel.reading import has_read_all
from tests.kernel.stand_ins import StandIns
from tests.packets import CLIENTS, Walk, destinations

KILLS = 100 if IS_FULL else 15
MANY = 3000 if IS_FULL else 1000
# A daemon that is started does its first sync after about a second here.
LONGEST_LIFE = 2.0
# What failed is tried again after this time, unless a change comes before.
SYNC_PERIOD = "--iptables-sync-period=2s"


def restoring(pid: int) -> list[int]:
    """The iptables-restore that a process has started, or that its own programs have."""
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, listed.read_text().split()):
                is_one = b"-restore" in Path(f"/proc/{child}/cmdline").read_bytes().partition(b"\0")[0]
                found += [*([child] if is_one else []), *restoring(child)]
    return found


def test_nobody_notices_kills(bed: Bed, record_property: Callable[[str, object], None]) -> None:
    random, moments = Random(SEED), Counter[str]()  # noqa: S311  it has to be repeatable
    bed.start()
    with bed.unharmed() as sent:
        with churning(bed.api) as churn:
            for _ in range(KILLS):
                time.sleep(random.uniform(0, LONGEST_LIFE))
                following = "following" if bed.proxy.has_synced() else "starting"
                moments["writing rules" if restoring(bed.pid) else following] += 1
                bed.cluster.kill("node-a")
                bed.launch()
            assert churn.steps > KILLS, "Services changed all the time"
        bed.cluster.wait_synced()
        bed.wait_in_sync()
        bed.wait_converged()
    record_property("kills survived", dict(moments))
    record_property("connections while killing", sent.asked)


def test_nobody_notices_that_restores_are_killed(bed: Bed, record_property: Callable[[str, object], None]) -> None:
    random = Random(SEED)  # noqa: S311  it has to be repeatable
    kills: list[float] = []

    def kill(is_over: threading.Event) -> None:
        while not is_over.wait(0.001) and len(kills) < KILLS:
            for child in restoring(bed.pid):
                with suppress(ProcessLookupError):
                    handle = os.pidfd_open(child)
                    kills.append(random.uniform(0, 0.01))
                    time.sleep(kills[-1])
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    os.close(handle)

    proxy = bed.start(SYNC_PERIOD)
    with bed.unharmed() as sent:
        with churning(bed.api), meanwhile(kill):
            bed.cluster.wait(lambda: len(kills) >= KILLS, f"{KILLS} kills", seconds=10 * KILLS)
        bed.wait_in_sync()
        bed.wait_converged()
    noticed = sum(len(proxy.told(event)) for event in ("sync failed", "a change was refused"))
    assert noticed, "some were killed before they were done"
    record_property("restores killed, and of these before they were done", (len(kills), noticed))
    record_property("connections while restores were killed", sent.asked)


@on_nft
def test_a_restore_that_is_killed_between_its_sections_leaves_services_whole(bed: Bed, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    bed.api.load(many(PODS[0].addresses[0], PODS[2].addresses[0]))
    bed.start()
    bed.cluster.stop("node-a")
    old = live(bed)
    bed.api.load(many(PODS[1].addresses[0], PODS[3].addresses[0]))
    tools = StandIns(tmp_path / "bin").stopping_after(MANY * 3, until_there=go_on)
    with bed.unharmed():
        proxy = bed.launch(SYNC_PERIOD, program=with_path(tools.path, *RUN))
        bed.cluster.wait(tools.passed_on.exists, "some sections")
        (killed,) = restoring(bed.pid)
        bed.cluster.wait(lambda: has_read_all(killed), "that they are written")
        half = live(bed)
        os.kill(killed, signal.SIGKILL)
        bed.cluster.wait(lambda: killed not in restoring(bed.pid), "its end")
        go_on.touch()
        bed.cluster.wait(lambda: proxy.told("sync failed", family="IPv4") != [], "that this is noticed")
        bed.wait_converged()
    new = live(bed)
    asked = sorted(destinations(old, Family.IPV4) | destinations(new, Family.IPV4))
    before, now, after = (Walk(its).fates(asked, CLIENTS[Family.IPV4][-1:]) for its in (old, half, new))
    assert [packet for packet in now if now[packet] not in (before[packet], after[packet])] == []
    is_new = {now[packet] == after[packet] for packet in now if before[packet] != after[packet]}
    assert is_new == {True, False}, "it was killed in the middle"


def many(*endpoints: object) -> Iterator[JsonObject]:
    """Many Services of IPv4 with these pods behind each."""
    for number in range(1, MANY + 1):
        name = f"many-{number}"
        yield testing.service(name, clusterIP=f"10.97.{number // 250}.{number % 250 + 1}")
        yield testing.endpoint_slice(name, *map(str, endpoints))


def live(bed: Bed) -> Ruleset:
    """The live IPv4 rules."""
    return parse(bed.dump().splitlines())
