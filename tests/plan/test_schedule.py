"""When to do what next: docs/reference/lifecycle.md section 11 and example F. Times in seconds."""

import pytest

from pykubeproxy.plan.schedule import Schedule

ITS = Schedule(min_interval=1.0, retry_interval=30.0)
SLOW = Schedule(min_interval=60.0, retry_interval=30.0)


@pytest.mark.parametrize(
    ("schedule", "pending", "failed", "last_end", "due"),
    [
        (ITS, False, False, None, None),
        (ITS, True, False, None, 0.0),
        (ITS, False, False, 10.0, None),
        (ITS, True, False, 10.0, 11.0),
        (ITS, False, True, 10.0, 40.0),
        (ITS, True, True, 10.0, 11.0),
        (SLOW, False, True, 0.0, 60.0),  # a retry is never earlier than a sync may be
    ],
)
def test_sync(schedule: Schedule, *, pending: bool, failed: bool, last_end: float | None, due: float | None) -> None:
    assert schedule.sync_due(pending=pending, failed=failed, last_end=last_end) == due


@pytest.mark.parametrize(
    ("seconds", "check", "audit"), [(0.0, 100.25, 130.0), (0.1, 101.0, 130.0), (2.0, 120.0, 300.0)]
)
def test_reading_costs_a_bounded_share(seconds: float, check: float, audit: float) -> None:
    assert ITS.check_due(last_read=100.0, read_seconds=seconds) == pytest.approx(check)
    assert ITS.audit_due(last_read=100.0, read_seconds=seconds) == pytest.approx(audit)
