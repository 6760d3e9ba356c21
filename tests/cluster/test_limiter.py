"""The limit on requests, with a clock that stands still."""

import pytest

from pykubeproxy.cluster.limiter import Limiter


def test_a_burst_at_once_and_then_one_after_the_other() -> None:
    limiter = Limiter(5, 3, clock=lambda: 0.0)
    assert [limiter.reserve() for _ in range(5)] == [0, 0, 0, pytest.approx(0.2), pytest.approx(0.4)]


def test_time_gives_tokens_back_but_never_more_than_a_burst() -> None:
    now = [0.0]
    limiter = Limiter(5, 2, clock=lambda: now[0])
    assert [limiter.reserve() for _ in range(3)] == [0, 0, pytest.approx(0.2)]
    now[0] = 0.6
    assert [limiter.reserve() for _ in range(3)] == [0, 0, pytest.approx(0.2)]
    now[0] = 1000.0
    assert [limiter.reserve() for _ in range(3)] == [0, 0, pytest.approx(0.2)]


def test_a_negative_rate_is_no_limit() -> None:
    limiter = Limiter(-1, 1, clock=lambda: 0.0)
    assert {limiter.reserve() for _ in range(100)} == {0.0}
