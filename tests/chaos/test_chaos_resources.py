"""The node runs out of something, or its clock jumps: nobody notices, and the daemon makes up for it afterwards."""

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from e2e.cluster import RUN
from tests.apiserver import testing
from tests.chaos.bed import PODS, Bed, churning, memory, on_any, web

JUMPING_CLOCK = (sys.executable, str(Path(__file__).with_name("jumping_clock.py")), "run")
AUDITED = "in sync; nothing to write"
EVENTS, SERVICES = 10_000, 1000


def test_nobody_notices_that_it_may_open_no_more_files(bed: Bed) -> None:
    bed.load(2, PODS[0])
    proxy = bed.start("--iptables-sync-period=2s")
    with bed.unharmed():
        before = resource.prlimit(bed.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(bed.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        bed.load(2, PODS[1])
        bed.wait_told("sync failed", "a sync that is not possible")
        bed.flush("filter")
        bed.api.faults.break_watches("reset")
        bed.wait_told("cannot follow the API server", "a watch that is not possible")
        bed.page(10256, "/healthz")
        with churning(bed.api) as churn:
            bed.cluster.wait(lambda: churn.steps > 20, "more changes")
        resource.prlimit(bed.pid, resource.RLIMIT_NOFILE, before)
        bed.wait_in_sync()
        bed.wait_converged()
    assert {line["error"] for line in proxy.told("sync failed") if "Too many open files" not in line["error"]} == set()
    assert not proxy.told("internal error")


@on_any
def test_nobody_notices_that_the_log_cannot_be_written(bed: Bed) -> None:
    bed.load(2, PODS[0])
    bed.launch(program=("sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh", *RUN))
    bed.wait_answer(web(2)[0], PODS[0])
    with bed.unharmed():
        bed.wait_converged()
        bed.flush_until_repaired()
        bed.api.faults.restart()
        bed.wait_converged()


@on_any
@pytest.mark.parametrize("days", [-1, pytest.param(365, marks=pytest.mark.night)])
def test_nobody_notices_that_the_clock_jumps(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    monkeypatch.setenv("CLOCK_FILE", str(tmp_path / "clock"))

    def put_clock(days: int) -> None:
        (tmp_path / "new").write_text(str(days * 24 * 3600))
        (tmp_path / "new").replace(tmp_path / "clock")

    put_clock(0)
    proxy = bed.start("--iptables-sync-period=1s", "-v=4", program=JUMPING_CLOCK)
    with bed.unharmed():
        put_clock(days)
        said = datetime.fromisoformat(json.loads(bed.page(10256, "/healthz")[1])["currentTime"])
        assert abs(said - datetime.now(UTC) - timedelta(days=days)) < timedelta(hours=1)
        audits = len(proxy.told(AUDITED, level="debug"))
        bed.cluster.wait(lambda: len(proxy.told(AUDITED, level="debug")) >= audits + 4, "audits")
        bed.flush_until_repaired()
        bed.wait_converged()
        put_clock(0)
        bed.wait_converged()
        bed.cluster.wait(lambda: bed.page(10256, "/healthz")[0] == 200, "health")


@on_any
def test_nobody_notices_ten_thousand_events(bed: Bed, record_property: Callable[[str, object], None]) -> None:
    bed.start()
    most, seconds = [], []
    with bed.unharmed() as sent:
        for burst in range(1, 4):
            begun = time.monotonic()
            inject(bed, burst)
            bed.load(2, PODS[burst])
            bed.wait_answer(web(2)[0], PODS[burst])
            bed.wait_in_sync()
            seconds.append(round(time.monotonic() - begun, 1))
            most.append(memory(bed.pid, "VmHWM"))
        bed.wait_converged()
    assert most[2] < 1.3 * most[0], "what has been taken in takes no memory any more"
    record_property("seconds until 10,000 events are in force", seconds)
    record_property("peak memory in MB after each burst", [round(each / 1e6) for each in most])
    record_property("connections meanwhile", sent.asked)


def inject(bed: Bed, burst: int) -> None:
    """All Services, and then their endpoints as often as it takes."""
    for number in range(SERVICES):
        address = f"10.97.{number // 250}.{number % 250 + 1}"
        service = testing.service(
            f"many-{number}", clusterIP=address, clusterIPs=[address], ipFamilies=["IPv4"], type="ClusterIP"
        )
        service["metadata"]["generation"] = burst
        bed.api.inject(service)
    for change in range((EVENTS - SERVICES) // SERVICES):
        for number in range(SERVICES):
            pod = f"10.244.{(burst + change) % 2}.{number % 200 + 20}"
            bed.api.inject(testing.endpoint_slice(f"many-{number}", pod))
