"""The plots of growth: which figures go into which chart."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import first_sync, growth, latency, one_change
from bench.figures import Figure, Unit, written
from bench.svg import Chart, Series, draw
from bench.synthetic import in_short


def write_plots(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Draw every chart for which there are figures of more than one size; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, title, series in _charts(figures):
        drawable = tuple(each for each in series if len(each.points) > 1)
        if drawable:
            chart = Chart(title=title, x_title="Services", series=drawable, x_text=_count, y_text=_seconds)
            made.append(folder / f"{name}.svg")
            made[-1].write_text(draw(chart))
    return made


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


def _count(number: float) -> str:
    return in_short(round(number))


def _seconds(value: float) -> str:
    text = written(value, Unit.SECONDS)
    number, unit = text.split(" ")
    return f"{float(number):g} {unit}"
