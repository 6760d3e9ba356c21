"""Numbers as bars."""

from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.explain.sparkline import BARS, sparkline

numbers = st.lists(st.floats(0, 1e9, allow_subnormal=False), max_size=30)


def test_one_bar_for_each_number_on_a_common_scale() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert (sparkline([]), sparkline([0, 0, 0])) == ("", "▁▁▁")
    assert (sparkline([5], 10), sparkline([20], 10)) == ("▅", "█")


@given(numbers, st.floats(0, 1e9))
def test_a_little_is_more_than_nothing_and_more_is_never_lower(values: list[float], top: float) -> None:
    heights = [BARS.index(bar) for bar in sparkline(values, top)]
    assert [height == 0 for height in heights] == [value == 0 for value in values]
    in_order = [height for _, height in sorted(zip(values, heights, strict=True))]
    assert in_order == sorted(in_order)
