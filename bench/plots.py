"""The plots of growth: which figures go into which chart."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.pyplot import close, subplots
from msgspec import Struct

from bench import first_sync, growth, latency, one_change
from bench.figures import Figure, Unit, written
from bench.synthetic import in_short


class Series(Struct, frozen=True, kw_only=True):
    """A line: its name, and points as (x, y), both above 0. A `dashed` one is what another is compared with."""

    name: str
    points: tuple[tuple[float, float], ...]
    dashed: bool = False


def write_plots(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Draw every chart for which there are figures of more than one size; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, title, series in _charts(figures):
        drawable = [each for each in series if len(each.points) > 1]
        if drawable:
            made.append(folder / f"{name}.svg")
            _draw(title, drawable, made[-1])
    return made


def _draw(title: str, every: Sequence[Series], file: Path) -> None:
    """Both axes are logarithmic; the same figures give the same bytes."""
    with rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}):
        chart, axes = subplots(figsize=(7.6, 4.0), layout="constrained")
        for series in every:
            axes.plot(
                *zip(*series.points, strict=True), "--o" if series.dashed else "-o", label=series.name, markersize=4
            )
        axes.set(title=title, xlabel="Services", xscale="log", yscale="log")
        axes.set_xticks(sorted({x for series in every for x, _ in series.points}), minor=False)
        axes.xaxis.set_major_formatter(lambda number, _: in_short(round(number)))
        axes.yaxis.set_major_formatter(lambda value, _: _seconds(value))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        chart.savefig(file, metadata={"Date": None})
        close(chart)


def _charts(figures: Sequence[Figure]) -> Iterator[tuple[str, str, list[Series]]]:
    yield "first-sync", "First sync of an empty node, 5 endpoints per Service", list(_first_sync(figures))
    yield "one-change", "One endpoint changes: event to kernel", list(_one_change(figures))
    yield "connect", "connect() through the last Service, p50", list(_connect(figures, "last Service"))
    title = "connect() from the node to no Service, p50"
    yield "connect-no-service", title, list(_connect(figures, "no Service, from the node"))


def _first_sync(figures: Sequence[Figure]) -> Iterator[Series]:
    for backend in _backends(figures):
        found = [
            each
            for each in figures
            if each.measurement == first_sync.TITLE and each.backend == backend and each.case.endswith(" x 5")
        ]
        yield _line(f"{backend}, whole process", found)
        yield _floor_line(f"{backend}, iptables-restore alone", found)


def _one_change(figures: Sequence[Figure]) -> Iterator[Series]:
    for backend in _backends(figures):
        found = [
            each
            for each in figures
            if each.measurement == one_change.TITLE and each.backend == backend and each.case.endswith("changed")
        ]
        yield _line(backend, found)
        yield _floor_line(f"{backend}, minimal restore alone", found)
    yield _line("without the tool", [each for each in figures if each.measurement == growth.STEP])


def _connect(figures: Sequence[Figure], way: str) -> Iterator[Series]:
    for backend in _backends(figures):
        for dispatch in ("tree", "linear"):
            found = [
                each
                for each in figures
                if each.measurement == latency.TITLE
                and each.backend == backend
                and each.case.startswith(f"{dispatch}, ")
                and each.case.endswith(way)
            ]
            yield _line(f"{dispatch}, {backend}", found, dashed=dispatch == "linear")


def _backends(figures: Sequence[Figure]) -> list[str]:
    return list(dict.fromkeys(each.backend for each in figures if each.backend))


def _line(name: str, figures: Sequence[Figure], *, dashed: bool = False) -> Series:
    points = tuple(sorted((float(each.services), each.value) for each in figures))
    return Series(name=name, points=points, dashed=dashed)


def _floor_line(name: str, figures: Sequence[Figure]) -> Series:
    points = sorted((float(each.services), each.floor.value) for each in figures if each.floor is not None)
    return Series(name=name, points=tuple(points), dashed=True)


def _seconds(value: float) -> str:
    text = written(value, Unit.SECONDS)
    number, unit = text.split(" ")
    return f"{float(number):g} {unit}"
