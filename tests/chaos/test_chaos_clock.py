"""The wall clock jumps by days, there and back: syncs, audits, repairs and health go on."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.bed import Bed

PROGRAM = (sys.executable, str(Path(__file__).with_name("jumping_clock.py")), "run")
DAY = 24 * 3600
AUDITED = "in sync; nothing to write"


@pytest.fixture(name="clock")
def fixture_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets by how many seconds the daemon's wall clock is off."""
    file = tmp_path / "clock"
    monkeypatch.setenv("CLOCK_FILE", str(file))

    def put(seconds: int) -> None:
        new = file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(file)

    put(0)
    return put


@pytest.mark.parametrize(
    "days", [-1, pytest.param(1, marks=pytest.mark.night), pytest.param(365, marks=pytest.mark.night)]
)
def test_nobody_notices_that_the_clock_jumps(any_bed: Bed, clock: Callable[[int], None], days: int) -> None:
    bed = any_bed
    proxy = bed.start("--iptables-sync-period=1s", "-v=4", program=PROGRAM)
    with bed.unharmed():
        clock(days * DAY)
        assert abs(health(bed)[1] - datetime.now(UTC) - timedelta(days=days)) < timedelta(hours=1)
        audits = len(proxy.told(AUDITED, level="debug"))
        bed.cluster.wait(lambda: len(proxy.told(AUDITED, level="debug")) >= audits + 4, "audits")
        right = bed.dump()
        bed.node.exec([f"iptables-{bed.backend}", "-t", "filter", "-F", "KUBE-FORWARD"])
        bed.cluster.wait(lambda: bed.dump() == right, "repair")
        bed.wait_converged()
        clock(0)
        bed.wait_converged()
        bed.cluster.wait(lambda: health(bed)[0] == 200, "health")


def health(bed: Bed) -> tuple[int, datetime]:
    """The status of /healthz, and what time the daemon believes it is."""
    said = bed.node.exec(["curl", "-s", "-w", "\n%{http_code}", "http://127.0.0.1:10256/healthz"]).stdout
    report, _, status = said.rpartition("\n")
    return int(status), datetime.fromisoformat(json.loads(report)["currentTime"])
