"""iptables-restore is killed: Services are old or new, and the daemon makes up for it by itself."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from pykubeproxy.model.ip import Family
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.ruleset import Ruleset
from tests.apiserver import testing
from tests.apiserver.objects import JsonObject
from tests.chaos.bed import IS_FULL, PODS, SEED, Bed
from tests.chaos.children import killing_restores, restoring
from tests.chaos.churn import churning
from tests.kernel.reading import has_read_all
from tests.kernel.stand_ins import StandIns
from tests.packets import CLIENTS, Walk, destinations

KILLS = 100 if IS_FULL else 15
MANY = 3000 if IS_FULL else 1000
# What failed is tried again after this time, unless a change comes before.
SYNC_PERIOD = "--iptables-sync-period=2s"
FAILED = ("sync failed", "a change was refused")


def test_nobody_notices_that_restores_are_killed(bed: Bed, figure: Callable[[str, object], None]) -> None:
    random = Random(SEED)  # noqa: S311  it has to be repeatable
    proxy = bed.start(SYNC_PERIOD)
    with bed.unharmed() as sent:
        with churning(bed.api), killing_restores(bed.pid, KILLS, random) as kills:
            bed.cluster.wait(lambda: len(kills) >= KILLS, f"{KILLS} kills", seconds=10 * KILLS)
        bed.wait_in_sync()
        bed.wait_converged()
    noticed = sum(len(proxy.told(event)) for event in FAILED)
    assert noticed, "some were killed before they were done"
    figure("restores killed", len(kills))
    figure("of which before they were done", noticed)
    figure("connections while restores were killed", sent.asked)


def test_a_restore_that_is_killed_between_its_sections_leaves_services_whole(nft_bed: Bed, tmp_path: Path) -> None:
    bed, go_on = nft_bed, tmp_path / "go-on"
    bed.cluster.load(many(PODS[0].addresses[0], PODS[2].addresses[0]))
    bed.start()
    bed.cluster.stop("node-a")
    old = live(bed)
    bed.cluster.load(many(PODS[1].addresses[0], PODS[3].addresses[0]))
    tools = StandIns(tmp_path / "bin").stopping_after(MANY * 3, until_there=go_on)
    with bed.unharmed():
        proxy = bed.launch(SYNC_PERIOD, path=tools.path)
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
    assert_whole(half, old, new)


def many(*endpoints: object) -> Iterator[JsonObject]:
    """Many Services of IPv4 with these pods behind each."""
    for number in range(1, MANY + 1):
        name = f"many-{number}"
        yield testing.service(name, clusterIP=f"10.97.{number // 250}.{number % 250 + 1}")
        yield testing.endpoint_slice(name, *map(str, endpoints))


def live(bed: Bed) -> Ruleset:
    """The live IPv4 rules."""
    return parse(bed.dump().splitlines())


def assert_whole(half: Ruleset, old: Ruleset, new: Ruleset) -> None:
    """Half-way, every Service must be as it was or as it will be, and there must be both kinds."""
    asked = sorted(destinations(old, Family.IPV4) | destinations(new, Family.IPV4))
    before, now, after = (Walk(its).fates(asked, CLIENTS[Family.IPV4][-1:]) for its in (old, half, new))
    changed = [packet for packet in now if before[packet] != after[packet]]
    assert [packet for packet in now if now[packet] not in (before[packet], after[packet])] == []
    is_new = {now[packet] == after[packet] for packet in changed}
    assert is_new == {True, False}, "it was killed in the middle"
