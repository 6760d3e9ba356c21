"""What is told of a restore that takes long."""

from collections.abc import Callable
from itertools import count, islice
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.sync import progress
from pykubeproxy.daemon.sync.family import FamilyProxy
from pykubeproxy.daemon.sync.progress import INTERVAL, Progress
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.options import Dispatch
from tests.builders import options, service, snapshot
from tests.memory_host import MemoryHost


@pytest.fixture(autouse=True)
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by more than the interval whenever somebody looks at it."""
    ticks = count(step=INTERVAL + 1)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(ticks)))


def of(total: int) -> Callable[[int], float]:
    return lambda taken: taken / total


def test_the_share_that_has_been_taken_is_told_now_and_then_while_lines_are_taken() -> None:
    lines = iter(Progress(["-A X -j Y"] * 4096, of(4096), Family.IPV4))
    with capture_logs() as logs:
        assert len(list(islice(lines, 2048))) == 2048
        assert [log["done"] for log in logs] == ["0%", "25%"]
        assert len(list(lines)) == 2048
        assert list(Progress(["-A X -j Y"] * 5000, of(5000), Family.IPV4, interval=3600.0)), "soon done"
    assert [log["done"] for log in logs] == ["0%", "25%", "50%", "75%"]
    assert all(log["event"] == "writing rules" and log["family"] == "IPv4" for log in logs)


def test_a_sync_tells_it() -> None:
    objects = [service(f"ns/s{number}", f"10.96.{number >> 8}.{number & 255}") for number in range(1500)]
    cluster = snapshot(*objects)
    proxy = FamilyProxy(options(dispatch=Dispatch.TREE), MemoryHost())
    proxy.update(cluster, cluster.services)
    with capture_logs() as logs:
        proxy.sync()
    assert {log["event"] for log in logs} == {"writing rules"}
