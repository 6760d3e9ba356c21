"""Figures for people and for programs: a table on the terminal, JSON, and Markdown for the documentation."""

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.figures import Figure, written

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
_FILE_WIDTH = 170
_COLUMNS = ("Case", "Tools", "Figure", "p99", "Range", "CPU", "Beside it", "Ratio", "in CPU", "Target", "Reached")

Row = tuple[str, ...]


class Report(Struct, frozen=True, kw_only=True):
    """When and where was measured, in words, and all figures."""

    run: str
    figures: tuple[Figure, ...]


def circumstances(load_before: float, *, is_quick: bool) -> str:
    """The time, and the machine as it is now."""
    version = subprocess.run(["iptables", "--version"], capture_output=True, text=True, check=False).stdout.split()
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d %H:%M UTC}: {os.cpu_count()} CPUs "
        f"({model[1] if model else platform.machine()}), Linux {platform.release().partition('-')[0]},\n"
        f"iptables {' '.join(version[1:2])}, Python {platform.python_version()}; load average {load_before:.1f} at the "
        f"beginning,\n{os.getloadavg()[0]:.1f} at the end{' (quick run)' if is_quick else ''}."
    )


def print_table(figures: Sequence[Figure]) -> None:
    """Print all figures, one table for each measurement."""
    output = Console(highlight=False)
    console = output if output.is_terminal else Console(width=_FILE_WIDTH, highlight=False)
    for measurement, its in _by_measurement(figures).items():
        columns, rows = _used(_COLUMNS, [_cells(figure) for figure in its])
        table = Table(*columns, box=SIMPLE_HEAD, title=measurement, title_justify="left")
        for figure, row in zip(its, rows, strict=True):
            table.add_row(*row, style={True: "green", False: "red", None: ""}[figure.is_reached])
        console.print(table)


def write_json(report: Report, path: Path) -> None:
    """Write everything as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


def read_json(path: Path) -> Report:
    """Read what `write_json` has written."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


def write_document(report: Report, path: Path) -> None:
    """Put the figures between the two marks of a Markdown file."""
    text = path.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path}: there is no place for figures: {BEGIN} and {END} are expected")
    path.write_text("".join([before, begin, "\n", "\n".join(_markdown(report)), "\n", end, after]))


def _markdown(report: Report) -> Iterator[str]:
    yield report.run
    targets = [figure for figure in report.figures if figure.is_reached is not None]
    yield from ("", "### Targets", "")
    cells = [(figure.measurement, *_cells(figure)) for figure in targets]
    yield from _markdown_table(*_used(("Measurement", *_COLUMNS), cells))
    for measurement, its in _by_measurement(report.figures).items():
        yield from ("", f"### {measurement[0].upper()}{measurement[1:]}", "")
        yield from _markdown_table(*_used(_COLUMNS, [_cells(figure) for figure in its]))


def _markdown_table(columns: Row, rows: Sequence[Row]) -> Iterator[str]:
    for row in (columns, ("---",) * len(columns), *rows):
        yield f"| {' | '.join(row)} |"


def _used(columns: Row, rows: Sequence[Row]) -> tuple[Row, list[Row]]:
    """A table without the columns in which nothing stands."""
    used = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    return tuple(columns[index] for index in used), [tuple(row[index] for index in used) for row in rows]


def _cells(figure: Figure) -> Row:
    """A figure's row, for `_COLUMNS`."""
    floor, target = figure.floor, figure.target
    ends = figure.range if figure.range is not None and figure.range[0] != figure.range[1] else ()
    return (
        figure.case,
        figure.backend,
        written(figure.value, figure.unit),
        written(figure.p99, figure.unit),
        " to ".join(written(end, figure.unit) for end in ends),
        written(figure.cpu, figure.unit),
        f"{floor.what}: {written(floor.value, figure.unit)}" if floor is not None else "",
        _times(figure.ratio),
        _times(figure.cpu_ratio),
        f"{target.text} ({written(target.limit, figure.unit)})" if target is not None else "",
        {True: "yes", False: "no", None: ""}[figure.is_reached],
    )


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _by_measurement(figures: Iterable[Figure]) -> dict[str, list[Figure]]:
    found: dict[str, list[Figure]] = {}
    for figure in figures:
        found.setdefault(figure.measurement, []).append(figure)
    return found
