"""What is told of a restore that takes long."""

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


def test_the_share_that_has_been_taken_is_told_now_and_then_while_lines_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a clock that goes on by more than the interval whenever somebody looks at it."""
    ticks = count(step=INTERVAL + 1)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    with capture_logs() as logs:
        lines = iter(Progress(["-A X -j Y"] * 4096, lambda taken: taken / 4096, Family.IPV4))
        assert len(list(islice(lines, 2048))) == 2048
        assert [log["done"] for log in logs] == ["0%", "25%"]
        assert len(list(lines)) == 2048
    assert [log["done"] for log in logs] == ["0%", "25%", "50%", "75%"]
    objects = snapshot(*(service(f"ns/s{number}", f"10.96.{number >> 8}.{number & 255}") for number in range(1500)))
    proxy = FamilyProxy(options(dispatch=Dispatch.TREE), MemoryHost())
    proxy.update(objects, objects.services)
    with capture_logs() as logs:
        proxy.sync()
    assert {log["event"] for log in logs} == {"writing rules"}
