"""`python -m e2e.kind`: prepares a cluster of kind's for the cases, asks them, and keeps asking.

kubectl must lead to that cluster. Exit status 0 if everything was as expected, 1 if not.
"""

import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from e2e.cases import CASES
from e2e.demo import show
from e2e.kind import cluster, places, requests
from e2e.kind.cluster import OUTSIDER_PREFIX
from e2e.kind.requests import Stream, Tally
from e2e.netns import LabError
from e2e.processes import Processes
from e2e.running import run_case

WIDTH = 132
PAUSE_SECONDS = 0.1


@click.group()
def main() -> None:
    """The cases of e2e/cases.py in a cluster of kind's."""


@main.command()
@click.option("--image", required=True, help="The image of all pods, from e2e/kind/Dockerfile.")
def prepare(image: str) -> None:
    """Make the pods, the machines outside and the Services of examples/."""
    cluster.prepare(image)


@main.command()
def ask() -> None:
    """Ask every case, and show what came of it."""
    manifests = cluster.live_services()
    lab = places.lab(cluster.live_topology(), Processes(), OUTSIDER_PREFIX)
    cluster.wait_until_programmed(lab, manifests)
    results = [run_case(lab, manifests, case) for case in CASES]
    show(Console(width=WIDTH), results, [])
    sys.exit(any(result.complaint for result in results))


@main.command(name="requests")
def keep_asking() -> None:
    """Make requests until SIGTERM or Ctrl-C; say when all have begun, and in the end how many failed."""
    manifests = cluster.live_services()
    processes = Processes()
    lab = places.lab(cluster.live_topology(), processes, OUTSIDER_PREFIX)
    asked = requests.questions(lab.topology, manifests, CASES)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with tempfile.TemporaryDirectory() as folder:
        streams = list(requests.start(lab, asked, Path(folder)))
        while not all(map(requests.has_begun, streams)) and not stopped.wait(PAUSE_SECONDS):
            pass
        click.echo(f"{len(streams)} streams of requests have begun.")
        stopped.wait()
        sys.exit(_tell(_stopped(streams, processes)))


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
