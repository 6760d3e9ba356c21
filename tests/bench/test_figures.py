import pytest

from bench.figures import Figure, Floor, Target, Unit, at_most, written
from bench.harness import Sample, Timing, quantile


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5, Unit.SECONDS, "1.50 s"),
        (0.0625, Unit.SECONDS, "62.5 ms"),
        (0.0000261, Unit.SECONDS, "26.1 µs"),
        (149.6, Unit.MEGABYTES, "150 MB"),
        (0.014, Unit.CORES, "1.4 %"),
        (1.149, Unit.TIMES, "1.15 x"),
        (None, Unit.SECONDS, ""),
    ],
)
def test_numbers_are_written_with_their_unit(value: float | None, unit: Unit, text: str) -> None:
    assert written(value, unit) == text


def figure(value: float, *, floor: Floor | None = None, target: Target | None = None) -> Figure:
    return Figure(measurement="m", case="c", value=value, cpu=1.0, floor=floor, target=target)


def test_a_target_may_depend_on_the_floor() -> None:
    floor = Floor(what="tool", value=2.0, cpu=0.5)
    target = at_most(1.5, floor, plus=0.5)
    assert target == Target(text="≤ 1.5 x tool + 0.5 s", limit=3.5)
    assert figure(3.5, floor=floor, target=target).is_reached
    assert figure(3.6, floor=floor, target=target).is_reached is False
    assert figure(3.0, floor=floor).is_reached is None
    assert (figure(3.0, floor=floor).ratio, figure(3.0, floor=floor).cpu_ratio) == (1.5, 2.0)
    assert (figure(3.0).ratio, figure(3.0).cpu_ratio) == (None, None)


def test_quantiles() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert quantile(values, 0.5) == 3.0
    assert quantile([*values, 6.0], 0.5) == 3.0
    assert quantile(map(float, range(1, 101)), 0.99) == 99.0
    assert quantile([7.0], 0.99) == 7.0


def test_the_middle_sample_counts() -> None:
    timing = Timing(tuple(Sample(wall, wall * 2) for wall in (9.0, 1.0, 2.0)))
    assert (timing.median, timing.low, timing.high, timing.cpu) == (2.0, 1.0, 9.0, 4.0)
