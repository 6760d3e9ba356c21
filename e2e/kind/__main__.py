"""`python -m e2e.kind`: prepares a cluster of kind's for the cases, asks them, and keeps asking.

kubectl must lead to that cluster. Exit status 0 if everything was as expected, 1 if not.
"""

import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console

from e2e.demo import show
from e2e.kind import cluster, places, requests
from e2e.kind.cluster import OUTSIDER_PREFIX, Prepared
from e2e.kind.requests import Stream, Tally
from e2e.kind.scenarios import SCENARIOS, Scenario
from e2e.lab import Lab
from e2e.netns import LabError
from e2e.processes import Processes
from e2e.running import run_all

WIDTH = 132
PAUSE_SECONDS = 0.1


@click.group()
@click.option("--scenario", "names", type=click.Choice(list(SCENARIOS)), multiple=True, help="One of them, not all.")
@click.pass_context
def main(context: click.Context, names: tuple[str, ...]) -> None:
    """The cases of a lab in a cluster of kind's: those of examples/, and those on three nodes."""
    context.obj = [SCENARIOS[name]() for name in names or SCENARIOS]


@main.command()
@click.option("--image", required=True, help="The image of all pods, from e2e/kind/Dockerfile.")
@click.pass_obj
def prepare(scenarios: list[Scenario], image: str) -> None:
    """Make the pods, the machines outside and the Services."""
    for scenario in scenarios:
        cluster.prepare(scenario, image)


@main.command()
@click.pass_obj
def ask(scenarios: list[Scenario]) -> None:
    """Ask every case, and show what came of it."""
    verdicts = [_ask(cluster.prepared(scenario)) for scenario in scenarios]
    sys.exit(not all(verdicts))


@main.command(name="requests")
@click.pass_obj
def keep_asking(scenarios: list[Scenario]) -> None:
    """Make requests until SIGTERM or Ctrl-C; say when all have begun, and in the end how many failed."""
    found = [cluster.prepared(scenario) for scenario in scenarios]
    processes = Processes()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with tempfile.TemporaryDirectory() as folder:
        streams = [stream for its in found for stream in _start(its, processes, Path(folder))]
        while not all(map(requests.has_begun, streams)) and not stopped.wait(PAUSE_SECONDS):
            pass
        click.echo(f"{len(streams)} streams of requests have begun.")
        stopped.wait()
        sys.exit(_tell(_stopped(streams, processes)))


def _ask(its: Prepared) -> bool:
    """Prints what came of a scenario's cases, and what was not asked; true if all was as expected."""
    lab = _lab(its, Processes())
    cluster.wait_until_programmed(lab, its.manifests, its.scenario.probe)
    results = run_all(lab, its.manifests, its.scenario.cases)
    show(Console(width=WIDTH), results, [])
    for exclusion in its.excluded:
        click.echo(f"{exclusion.service} was not asked: {exclusion.reason}.")
    return not any(result.complaint for result in results)


def _start(its: Prepared, processes: Processes, folder: Path) -> Iterator[Stream]:
    lines = folder / its.scenario.name
    lines.mkdir()
    lab = _lab(its, processes)
    yield from requests.start(lab, requests.questions(its.topology, its.manifests, its.scenario.cases), lines)


def _lab(its: Prepared, processes: Processes) -> Lab:
    return places.lab(its.topology, processes, namespace=its.scenario.namespace, prefix=OUTSIDER_PREFIX)


def _stopped(streams: Sequence[Stream], processes: Processes) -> list[tuple[Stream, Tally]]:
    early = [stream.process.poll() is not None for stream in streams]
    processes.stop_all()
    return [
        (stream, requests.tally(stream.lines.read_text().splitlines(keepends=True), ended_early=ended))
        for stream, ended in zip(streams, early, strict=True)
    ]


def _tell(tallies: Sequence[tuple[Stream, Tally]]) -> bool:
    """Prints what failed, and the sum; true if anything did."""
    for stream, tally in tallies:
        case = stream.question.case
        where = f"{case.service}, {case.origin} to {stream.question.destination}"
        for failure in tally.failures:
            click.echo(f"{where}: {failure}")
    failed = sum(len(tally.failures) for _, tally in tallies)
    click.echo(f"{failed} of {sum(tally.requests for _, tally in tallies)} requests failed.")
    return failed > 0


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"e2e.kind: {error}")
