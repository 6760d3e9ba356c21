"""Line charts as SVG: both axes logarithmic, readable on light and on dark pages, and nothing but text.

Every line ends in its own name, so that no legend is needed.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from xml.sax.saxutils import escape

from msgspec import Struct

WIDTH, HEIGHT = 760, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 190, 54, 52
_COLORS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")
_LABEL_GAP = 15

_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #374151 }
  .title { font-size: 15px; font-weight: 600; fill: #111827 }
  .grid { stroke: #e5e7eb; stroke-width: 1 }
  .back { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #c9d1d9 } .title { fill: #f0f6fc } .grid { stroke: #30363d } .back { fill: #0d1117 }
  }"""


class Series(Struct, frozen=True, kw_only=True):
    """A line: its name, and points as (x, y), both above 0. A `dashed` one is what another is compared with."""

    name: str
    points: tuple[tuple[float, float], ...]
    dashed: bool = False


class Chart(Struct, frozen=True, kw_only=True):
    """A chart; `x_text` and `y_text` write the numbers on its axes. There must be at least one point."""

    title: str
    x_title: str
    series: tuple[Series, ...]
    x_text: Callable[[float], str]
    y_text: Callable[[float], str]


class _Scale(Struct, frozen=True):
    """Where a logarithmic axis puts its numbers: `low` at pixel `start`, `high` at pixel `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)


def draw(chart: Chart) -> str:
    """The chart as an SVG document."""
    points = [point for series in chart.series for point in series.points]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    across = _Scale(min(xs), max(*xs, min(xs) * 2), _LEFT, WIDTH - _RIGHT)
    up = _Scale(_round_down(min(ys)), _round_up(max(ys)), HEIGHT - _BOTTOM, _TOP)
    body = [*_frame(chart, across, up), *_lines(chart.series, across, up)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(chart.title)}</title>",
            f"<style>{_STYLE}\n</style>",
            *body,
            "</svg>\n",
        ]
    )


def _frame(chart: Chart, across: _Scale, up: _Scale) -> Iterator[str]:
    yield f'<rect class="back" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
    yield f'<text class="title" x="{_LEFT}" y="28">{escape(chart.title)}</text>'
    for value in _ticks(up.low, up.high):
        y = up.at(value)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{WIDTH - _RIGHT}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(chart.y_text(value))}</text>'
    for value in sorted({x for series in chart.series for x, _ in series.points}):
        x = across.at(value)
        yield f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{HEIGHT - _BOTTOM}"/>'
        text = escape(chart.x_text(value))
        yield f'<text x="{x}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{text}</text>'
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(chart.x_title)}</text>'


def _lines(every: Sequence[Series], across: _Scale, up: _Scale) -> Iterator[str]:
    labels = _spread([up.at(series.points[-1][1]) for series in every])
    for series, color, label in zip(every, _colors(len(every)), labels, strict=True):
        path = " ".join(f"{across.at(x)},{up.at(y)}" for x, y in series.points)
        dash = ' stroke-dasharray="6 5"' if series.dashed else ""
        yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"{dash}/>'
        for x, y in series.points:
            yield f'<circle cx="{across.at(x)}" cy="{up.at(y)}" r="3" fill="{color}"/>'
        style = f'style="fill: {color}"'
        yield f'<text x="{WIDTH - _RIGHT + 12}" y="{label + 4}" {style}>{escape(series.name)}</text>'


def _colors(count: int) -> Iterator[str]:
    return (_COLORS[number % len(_COLORS)] for number in range(count))


def _spread(places: Sequence[float]) -> list[float]:
    """The same places, moved down where two labels would lie upon each other."""
    moved = list(places)
    free_from = float("-inf")
    for index in sorted(range(len(places)), key=places.__getitem__):
        moved[index] = max(places[index], free_from)
        free_from = moved[index] + _LABEL_GAP
    return moved


def _ticks(low: float, high: float) -> Iterator[float]:
    """1, 2 and 5 times the powers of ten between two numbers; the powers alone if those would be many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first == 3 else (1,)
    for exponent in range(first, last + 1):
        for step in steps:
            value = step * 10.0**exponent
            if low * 0.999 <= value <= high * 1.001:
                yield value


def _round_down(value: float) -> float:
    """The next of 1, 2 and 5 times a power of ten that is not above `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (0.5, 1, 2, 5) if step * power <= value)


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min(step * power for step in (2, 5, 10) if step * power > value)
