"""What is told of a restore that takes long."""

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.sync import progress
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.daemon.sync.progress import INTERVAL, Progress
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Object, Snapshot
from pykubeproxy.plan.diff import ChainChange, Plan
from pykubeproxy.plan.payload import Payload
from pykubeproxy.rules.options import Dispatch
from tests.builders import options, service, slice_of, snapshot
from tests.memory_host import MemoryHost


def told(lines: list[str], total: int, interval: float) -> list[str]:
    with capture_logs() as logs:
        assert list(Progress(lines, total, Family.IPV4, interval)) == lines
    assert all(log["event"] == "writing rules" and log["family"] == "IPv4" for log in logs)
    return [log["done"] for log in logs]


@pytest.fixture(name="_slow_clock")
def fixture_slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by more than the interval whenever somebody looks at it."""
    ticks = count(step=INTERVAL + 1)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(ticks)))


def test_what_is_done_soon_needs_no_report() -> None:
    assert told(["-A X -j Y"] * 5000, 5000, 3600.0) == []


@pytest.mark.usefixtures("_slow_clock")
def test_the_share_that_has_been_taken_is_told_now_and_then() -> None:
    assert told(["-A X -j Y"] * 4096, 4096, INTERVAL) == ["0%", "25%", "50%", "75%"]


@pytest.mark.usefixtures("_slow_clock")
def test_it_is_told_while_the_lines_are_being_taken() -> None:
    lines: Iterator[str] = iter(Progress(["x"] * 3000, 3000, Family.IPV6))
    with capture_logs() as logs:
        for _ in range(1500):
            next(lines)
    assert [log["done"] for log in logs] == ["0%", "34%"]


@pytest.mark.usefixtures("_slow_clock")
def test_a_plan_that_only_deletes_has_a_share_as_well() -> None:
    changes = tuple(
        ChainChange(table="nat", chain=f"KUBE-SVC-{number:016}", before=(), after=None) for number in range(1100)
    )
    payload = Payload(Plan(chains=changes))
    shares = told(list(payload), payload.line_count, INTERVAL)
    assert shares == ["0%", "47%", "93%"]


@pytest.mark.usefixtures("_slow_clock")
def test_a_sync_tells_it() -> None:
    objects: list[Object] = []
    for number in range(150):
        addresses = (f"10.0.{number}.{index}" for index in range(1, 4))
        objects += [service(f"ns/s{number}", f"10.96.0.{number}"), slice_of(f"ns/s{number}", *addresses)]
    cluster: Snapshot = snapshot(*objects)
    proxy = FamilyProxy(options(dispatch=Dispatch.TREE), MemoryHost())
    proxy.update(cluster, cluster.services)
    with capture_logs() as logs:
        proxy.sync()
    assert [log["event"] for log in logs] == ["writing rules"] * 3
