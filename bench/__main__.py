"""The whole suite: `python -m bench`, or `make bench`. Needs root; works in network namespaces of its own."""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from bench import report
from bench.figures import Figure
from bench.harness import Run, installed_backends
from bench.plots import write_plots
from e2e.lab import missing

# The modules, in the order in which they are run: those that want the machine quiet first.
MEASUREMENTS = (
    "latency",
    "one_change",
    "kernel_check",
    "growth",
    "first_sync",
    "many_changes",
    "memory",
    "following",
    "trace",
    "conntrack",
    "peer",
    "fleet",
)
PATH = click.Path(path_type=Path)

progress = Console(stderr=True, highlight=False)


@click.command(epilog="Example: python -m bench --quick --only latency --only one_change")
@click.option("--quick", is_flag=True, help="Smaller clusters and fewer samples: some two minutes.")
@click.option("--only", multiple=True, type=click.Choice(MEASUREMENTS), help="Only this measurement. Repeatable.")
@click.option("--json", "json_file", type=PATH, help="Write all figures to this file.")
@click.option("--plots", type=PATH, help="Draw plots of growth into this folder.")
@click.option("--document", type=PATH, help="Put the figures into this Markdown file.")
@click.option("--from-json", type=PATH, help="Measure nothing: take the figures of this file.")
def main(  # noqa: PLR0913  one for each option
    *,
    quick: bool,
    only: tuple[str, ...],
    json_file: Path | None,
    plots: Path | None,
    document: Path | None,
    from_json: Path | None,
) -> None:
    """Measure how fast and how large pykubeproxy is; exit with 1 if a target is missed, or could not be measured."""
    broken: Sequence[str] = ()
    if from_json is not None:
        done = report.read_json(from_json)
    elif lack := missing():
        raise click.ClickException(lack)
    else:
        done, broken = measure(only or MEASUREMENTS, is_quick=quick)
    report.print_table(done.figures)
    if json_file is not None:
        report.write_json(done, json_file)
    for path in write_plots(done.figures, plots) if plots is not None else ():
        progress.print(f"drawn: {path}")
    if document is not None:
        report.write_document(done, document)
    missed = [figure for figure in done.figures if figure.is_reached is False]
    for figure in missed:
        progress.print(f"missed: {figure.measurement}: {figure.case} {figure.backend}", style="red")
    for name in broken:
        progress.print(f"not measured: {name}, which failed as told above", style="red")
    sys.exit(1 if missed or broken else 0)


def measure(names: Sequence[str], *, is_quick: bool) -> tuple[report.Report, Sequence[str]]:
    """Run some measurements. One that fails is told and returned, and stops no other."""
    load = os.getloadavg()[0]
    run = Run(is_quick=is_quick, backends=installed_backends(), say=progress.print)
    figures: list[Figure] = []
    broken: list[str] = []
    for name in names:
        try:
            figures.extend(importlib.import_module(f"bench.{name}").figures(run))
        except Exception:  # noqa: BLE001  an hour's figures are not to be lost
            progress.print_exception()
            broken.append(name)
    return report.Report(run=report.circumstances(load, is_quick=is_quick), figures=tuple(figures)), broken


if __name__ == "__main__":
    main()
