"""When to do what next: docs/reference/lifecycle.md section 11 and example F. Times in seconds."""

import pytest

from pykubeproxy.plan.schedule import Schedule

ITS = Schedule(min_interval=1.0, retry_interval=30.0)


@pytest.mark.parametrize(
    ("pending", "failed", "last_end", "due"),
    [
        (False, False, None, None),
        (True, False, None, 0.0),
        (False, False, 10.0, None),
        (True, False, 10.0, 11.0),
        (False, True, 10.0, 40.0),
        (True, True, 10.0, 11.0),
    ],
)
def test_sync(*, pending: bool, failed: bool, last_end: float | None, due: float | None) -> None:
    assert ITS.sync_due(pending=pending, failed=failed, last_end=last_end) == due


def test_example_f() -> None:
    """Changes come at 0, 0.1 and 0.2; the run at 0 lasts 0.15 s: one more serves the other two."""
    assert ITS.sync_due(pending=True, failed=False, last_end=None) == 0
    assert ITS.sync_due(pending=True, failed=False, last_end=0.15) == pytest.approx(1.15)
    assert ITS.sync_due(pending=False, failed=True, last_end=1.3) == pytest.approx(31.3)


def test_a_retry_is_never_earlier_than_a_sync_may_be() -> None:
    slow = Schedule(min_interval=60.0, retry_interval=30.0)
    assert slow.sync_due(pending=False, failed=True, last_end=0.0) == 60.0


@pytest.mark.parametrize(
    ("seconds", "check", "audit"), [(0.0, 100.25, 130.0), (0.1, 101.0, 130.0), (2.0, 120.0, 300.0)]
)
def test_reading_costs_a_bounded_share(seconds: float, check: float, audit: float) -> None:
    assert ITS.check_due(last_read=100.0, read_seconds=seconds) == pytest.approx(check)
    assert ITS.audit_due(last_read=100.0, read_seconds=seconds) == pytest.approx(audit)
