"""Times as Go prints them."""

import time
from collections.abc import Iterator

import pytest

from pykubeproxy.observe.clock import now, rfc3339


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "wall", "text"),
    [
        ("UTC", 1795350874_175445793, "2026-11-22T12:34:34.175445793Z"),
        ("UTC", 1795350868_749910260, "2026-11-22T12:34:28.74991026Z"),
        ("UTC", 1795350868_000000000, "2026-11-22T12:34:28Z"),
        ("UTC", 1795350868_000000001, "2026-11-22T12:34:28.000000001Z"),
        ("XST-5:30", 1795350868_500000000, "2026-11-22T18:04:28.5+05:30"),
        ("XST+8", 1795350868_500000000, "2026-11-22T04:34:28.5-08:00"),
    ],
    indirect=["zone"],
)
@pytest.mark.usefixtures("zone")
def test_rfc3339(wall: int, text: str) -> None:
    assert rfc3339(wall) == text


def test_now_is_now() -> None:
    before = time.time_ns(), time.monotonic()
    moment = now()
    assert before[0] <= moment.wall <= time.time_ns()
    assert before[1] <= moment.monotonic <= time.monotonic()
