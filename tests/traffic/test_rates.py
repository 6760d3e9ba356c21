"""When to read next."""

from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.traffic.rates import next_reading, share

seconds = st.floats(0, 1e4)


@given(seconds, seconds, st.floats(0.1, 3600))
def test_reading_takes_at_most_half_of_the_time(began: float, takes: float, interval: float) -> None:
    again = next_reading(began, began + takes, interval)
    assert again >= began + interval
    assert again - began >= 1.999 * takes


def test_shares() -> None:
    assert share(1, 4) == 0.25
    assert share(0, 0) is None
