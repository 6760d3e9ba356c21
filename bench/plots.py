"""The plots of growth: which figures go into which chart."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.pyplot import close, subplots
from msgspec import Struct

from bench import first_sync, fleet, growth, latency, one_change
from bench.figures import Figure, Unit, written
from bench.synthetic import in_short


class Series(Struct, frozen=True, kw_only=True):
    """A line: its name, and points as (x, y), both above 0. A `dashed` one is what another is compared with."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


SERVICES, FLEET = ("Services", Unit.SECONDS), ("nodes", Unit.MEGABYTES)
"""What a chart has from left to right, and the unit of its lines."""


def write_plots(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Draw every chart for which there are figures of more than one size; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, title, series in _charts(figures):
        drawable = [each for each in series if len(each.points) > 1]
        if drawable:
            made.append(folder / f"{name}.svg")
            _draw(title, drawable, made[-1], FLEET if name == "fleet" else SERVICES)
    return made


def _draw(title: str, every: Sequence[Series], file: Path, axis: tuple[str, Unit]) -> None:
    """Both axes are logarithmic; the same figures give the same bytes."""
    with rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}):
        chart, axes = subplots(figsize=(7.6, 4.0), layout="constrained")
        for series in every:
            style = "--o" if series.dashed else "-o"
            axes.plot(*zip(*series.points, strict=True), style, label=series.name, markersize=4)
        axes.set(title=title, xlabel=axis[0], xscale="log", yscale="log")
        axes.set_xticks(sorted({x for series in every for x, _ in series.points}), minor=False)
        axes.xaxis.set_major_formatter(lambda number, _: in_short(round(number)))
        axes.yaxis.set_major_formatter(lambda value, _: _short(value, axis[1]))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        chart.savefig(file, metadata={"Date": None})
        close(chart)


def _charts(figures: Sequence[Figure]) -> Iterator[tuple[str, str, list[Series]]]:
    """Each chart: its file, its title, its lines."""
    first = _like(figures, first_sync.TITLE, r".* x 5")
    series = [*_lines(first, "{}, whole process"), *_floors(first, "{}, iptables-restore alone")]
    yield "first-sync", "First sync of an empty node, 5 endpoints per Service", series
    change = _like(figures, one_change.TITLE, r".* changed")
    series = [*_lines(change, "{}"), *_floors(change, "{}, minimal restore alone")]
    series += _lines(_like(figures, growth.STEP), "without the tool")
    yield "one-change", "One endpoint changes: event to kernel", series
    fleets = _like(figures, f"{fleet.TITLE}: {fleet.START}")
    series = [*_lines(fleets, "pykubeproxy"), *_floors(fleets, "kube-proxy")]
    yield "fleet", "Bytes from the API server when all nodes start at once", series
    for name, way, title in (
        ("connect", "last Service", "connect() through the last Service, p50"),
        ("connect-no-service", "no Service, from the node", "connect() from the node to no Service, p50"),
    ):
        tree, linear = (_like(figures, latency.TITLE, f"{layout}, .*{way}") for layout in ("tree", "linear"))
        yield name, title, [*_lines(tree, "tree, {}"), *_lines(linear, "linear, {}", dashed=True)]


def _like(figures: Sequence[Figure], measurement: str, case: str = ".*") -> dict[str, list[Figure]]:
    """The figures of a measurement whose case is like that, by the kind of tools, from the smallest cluster on."""
    found: dict[str, list[Figure]] = {}
    for each in sorted(figures, key=lambda each: each.services):
        if each.measurement == measurement and re.fullmatch(case, each.case):
            found.setdefault(each.backend, []).append(each)
    return found


def _lines(figures: dict[str, list[Figure]], name: str, *, dashed: bool = False) -> Iterator[Series]:
    for backend, its in figures.items():
        yield Series(name=name.format(backend), points=[(each.services, each.value) for each in its], dashed=dashed)


def _floors(figures: dict[str, list[Figure]], name: str) -> Iterator[Series]:
    for backend, its in figures.items():
        points = [(each.services, each.floor.value) for each in its if each.floor is not None]
        yield Series(name=name.format(backend), points=points, dashed=True)


def _short(value: float, unit: Unit) -> str:
    number, symbol = written(value, unit).split(" ")
    return f"{float(number):g} {symbol}"
