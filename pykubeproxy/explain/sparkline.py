"""Numbers as a line of small bars. Pure."""

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], top: float = 0.0) -> str:
    """One bar for each of `values`, none of which is negative; the highest bar stands for `top`, or for the largest.

    Only 0 has the lowest bar: a small value has the next higher one, so that it is seen.
    """
    highest = max(top, *values, 0.0)
    return "".join(_bar(value / highest if value else 0.0) for value in values)


def _bar(share: float) -> str:
    if share == 0:
        return BARS[0]
    return BARS[max(1, round(share * (len(BARS) - 1)))]
