"""What `make run` shows: the Services of examples/ at work, on two nodes made of network namespaces.

Prints a table of what was asked, from where, and who answered; then changes a manifest and watches the change arrive.
Exit status 0 if everything was as expected, 1 if not or if this machine cannot build the lab.
"""

import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from rich.text import Text

from e2e.cases import CASES
from e2e.changing import CHANGE_SECONDS, GROWING, SERVICE, Change, grow_and_shrink
from e2e.examples import read_manifests, topology_of
from e2e.lab import Lab, open_lab
from e2e.netns import LabError
from e2e.proxies import start_proxies, wait_until_programmed
from e2e.running import Result, probes, resolve, run_case
from e2e.vocabulary import CLUSTER_IP

EXAMPLES = Path(__file__).parent.parent / "examples"
COLUMNS = ("Service", "From", "To", "Answered by", "Client seen", "As expected")
FILE_WIDTH = 132  # where the output is not a terminal
PROMISE_SECONDS = 1.0

progress = Console(stderr=True, highlight=False)


@click.command(epilog="Example: python -m e2e.demo -- --backend legacy")
@click.option("--keep", is_flag=True, help="Leave the nodes up until Ctrl-C, and say what to try on them.")
@click.argument("proxy_arguments", nargs=-1)
def main(proxy_arguments: tuple[str, ...], *, keep: bool) -> None:
    """Show the Services of examples/ at work on two nodes; PROXY_ARGUMENTS are given to every proxy."""
    output = Console()
    output = output if output.is_terminal else Console(width=FILE_WIDTH)
    try:
        results, changes = demonstrate(proxy_arguments, output, keep=keep)
    except LabError as error:
        progress.print(f"demo: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    sys.exit(1 if wrong(results, changes) else 0)


def demonstrate(
    proxy_arguments: Sequence[str], output: Console, *, keep: bool = False
) -> tuple[list[Result], list[Change]]:
    """Builds the lab, asks every case, changes a manifest, and leaves nothing behind. Raises LabError."""
    manifests = read_manifests(EXAMPLES)
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-demo-") as scratch:
        source = Path(shutil.copytree(EXAMPLES, Path(scratch, "examples")))
        say(f"building {len(manifests.nodes)} nodes out of network namespaces")
        with open_lab(topology_of(manifests)) as lab:
            say(f"starting a proxy on each of {', '.join(lab.nodes)}; {len(lab.pods)} pods are up")
            proxies = start_proxies(lab, source, Path(scratch), proxy_arguments)
            wait_until_programmed(proxies, probes(lab.topology, manifests))
            asking = f"asking {len(manifests.services)} Services in {len(CASES)} ways"
            say(asking)
            cases = track(CASES, asking, console=progress, transient=True, disable=not progress.is_terminal)
            results = [run_case(lab, manifests, case) for case in cases]
            say(f"changing {GROWING} under the running proxies")
            empty = resolve(lab.topology, manifests.services[SERVICE], CLUSTER_IP)
            changes = list(grow_and_shrink(proxies, source, empty))
            show(output, results, changes)
            if keep:
                wait_for_interrupt(output, lab)
            say("cleaning up")
    return results, changes


def wait_for_interrupt(output: Console, lab: Lab) -> None:
    """Say what can be tried on the first node while it is up, and wait for Ctrl-C."""
    node = next(iter(lab.nodes.values()))
    here = f"ip netns exec {node.name} {Path(sys.executable).with_name('pykubeproxy')}"
    output.print("\nThe nodes stay up until Ctrl-C. In another terminal, as root:\n", highlight=False)
    for command in ("status", "trace --from node --to default/web:http", "services default/web"):
        output.print(f"  {here} {command}", highlight=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        signal.pause()


def wrong(results: Sequence[Result], changes: Sequence[Change]) -> int:
    """How many results and changes are not as expected."""
    return sum(result.complaint is not None for result in results) + sum(change.seconds is None for change in changes)


def show(output: Console, results: Sequence[Result], changes: Sequence[Change]) -> None:
    """Prints the table, what is wrong in it, the changes, and the sum."""
    output.print(table(results))
    for result in results:
        if result.complaint:
            where = f"{result.case.service}, {result.case.shows}, {result.case.origin} to {result.destination}"
            output.print(Text(f"{where}: {result.complaint}", style="red"), soft_wrap=True)
    for change in changes:
        output.print(sentence(change), highlight=False, soft_wrap=True)
    total, failed = len(results) + len(changes), wrong(results, changes)
    output.print(f"{total - failed} of {total} as expected.", style="red" if failed else "green", highlight=False)


def table(results: Sequence[Result]) -> Table:
    """The results as people read them: a section per Service, a row per case."""
    rows = Table(*COLUMNS, box=SIMPLE_HEAD)
    for service, group in groupby(results, key=lambda result: result.case.service):
        rows.add_section()
        rows.add_row(Text(service, style="bold"))
        for result in group:
            rows.add_row(*map(escape, cells(result)), style="red" if result.complaint else "")
    return rows


def cells(result: Result) -> tuple[str, ...]:
    """A result's row, in the order of COLUMNS."""
    replies = [outcome.reply for outcome in result.outcomes if outcome.reply is not None]
    answered_by = ", ".join(sorted({reply.pod for reply in replies})) or str(result.outcomes[-1].fate)
    seen = ", ".join(sorted({"own" if reply.client in result.own_addresses else "a node's" for reply in replies}))
    verdict = "NO" if result.complaint else "yes"
    return f"  {result.case.shows}", str(result.case.origin), str(result.destination), answered_by, seen, verdict


def sentence(change: Change) -> str:
    """What came of a change, in a line."""
    if change.seconds is None:
        return f"[red]{GROWING} was given {change.what}: not in force after {CHANGE_SECONDS:g} s."
    late = "" if change.seconds <= PROMISE_SECONDS else f" [yellow](later than the promised {PROMISE_SECONDS:g} s)[/]"
    return f"{GROWING} was given {change.what}: in force on all nodes after {change.seconds:.2f} s{late}."


def say(what: str) -> None:
    """Reports progress, on stderr."""
    progress.print(f"… {what}", style="dim", markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
