"""What `make run` shows: the Services of examples/ at work, on two nodes made of network namespaces.

Prints a table of what was asked, from where, and who answered; then changes a manifest and watches the change arrive.
Exit status 0 if everything was as expected, 1 if not or if this machine cannot build the lab.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import click
from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from e2e.asking import Destination, Fate, ask
from e2e.cases import CASES, CLUSTER_IP, CLUSTER_IP_V6
from e2e.examples import Manifests, read_manifests, topology_of
from e2e.lab import Lab, open_lab
from e2e.netns import LabError
from e2e.proxies import Proxy, require_running, start_proxies, wait_until_programmed
from e2e.running import Result, resolve, run_case

EXAMPLES = Path(__file__).parent.parent / "examples"
COLUMNS = ("Service", "From", "To", "Answered by", "Client seen", "As expected")
FILE_WIDTH = 132  # where the output is not a terminal
PROMISE_SECONDS = 1.0
CHANGE_SECONDS = 10.0
GROWING = "no-endpoints.yaml"
NO_ENDPOINTS = "endpoints: []"
ONE_ENDPOINT = """endpoints:
  - addresses: [10.244.1.11]
    nodeName: node-b
    targetRef: {kind: Pod, namespace: default, name: web-3}
    conditions: {ready: true}"""

progress = Console(stderr=True, highlight=False)


class Change(Struct, frozen=True, kw_only=True):
    """A change of a manifest on disk, and how long connections from all nodes took to follow; None: they never did."""

    what: str
    seconds: float | None


@click.command(epilog="Example: python -m e2e.demo -- --backend legacy")
@click.argument("proxy_arguments", nargs=-1)
def main(proxy_arguments: tuple[str, ...]) -> None:
    """Shows the Services of examples/ at work on two nodes; PROXY_ARGUMENTS are given to every proxy."""
    try:
        results, changes = demonstrate(proxy_arguments)
    except LabError as error:
        progress.print(f"demo: {error}", style="red", markup=False)
        sys.exit(1)
    output = Console()
    if not output.is_terminal:
        output = Console(width=FILE_WIDTH)
    output.print(table(results))
    for change in changes:
        output.print(sentence(change), highlight=False)
    wrong = sum(result.complaint is not None for result in results) + sum(change.seconds is None for change in changes)
    total = len(results) + len(changes)
    output.print(f"{total - wrong} of {total} as expected.", style="green" if not wrong else "red")
    sys.exit(1 if wrong else 0)


def demonstrate(proxy_arguments: tuple[str, ...]) -> tuple[list[Result], list[Change]]:
    """Builds the lab, asks every case, changes a manifest, and leaves nothing behind. Raises LabError."""
    manifests = read_manifests(EXAMPLES)
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-demo-") as scratch:
        source = Path(shutil.copytree(EXAMPLES, Path(scratch, "examples")))
        say(f"building {len(manifests.nodes)} nodes out of network namespaces")
        with open_lab(topology_of(manifests)) as lab:
            say(f"starting a proxy on each of {', '.join(lab.nodes)}; {len(lab.pods)} pods are up")
            proxies = start_proxies(lab, source, Path(scratch), proxy_arguments)
            wait_until_programmed(proxies, probes(lab, manifests))
            say(f"asking {len(manifests.services)} Services in {len(CASES)} ways")
            results = [run_case(lab, manifests, case) for case in CASES]
            say(f"changing {GROWING} under the running proxies")
            changes = list(change_and_follow(lab, proxies, manifests, source / GROWING))
            say("cleaning up")
    return results, changes


def probes(lab: Lab, manifests: Manifests) -> list[Destination]:
    """One cluster IP of each family: who answers there has been programmed."""
    service = manifests.services["default/portal"]
    return [resolve(lab.topology, service, target) for target in (CLUSTER_IP, CLUSTER_IP_V6)]


def change_and_follow(lab: Lab, proxies: Sequence[Proxy], manifests: Manifests, manifest: Path) -> Iterator[Change]:
    """Gives a Service its first endpoint, takes it away again, and times each until it holds on every node."""
    destination = resolve(lab.topology, manifests.services["default/coming-soon"], CLUSTER_IP)
    empty = manifest.read_text()
    for what, text, fate in (
        ("a first endpoint", empty.replace(NO_ENDPOINTS, ONE_ENDPOINT), Fate.ANSWERED),
        ("no endpoint again", empty, Fate.REFUSED),
    ):
        started = time.monotonic()
        replace_file(manifest, text)
        arrived = [follow(proxy, destination, fate, started + CHANGE_SECONDS) for proxy in proxies]
        yield Change(what=what, seconds=time.monotonic() - started if all(arrived) else None)


def follow(proxy: Proxy, destination: Destination, fate: Fate, deadline: float) -> bool:
    """Asks from a proxy's node until this becomes of it; False if it has not by the deadline (monotonic clock)."""
    while ask(proxy.node, destination, seconds=PROMISE_SECONDS).fate is not fate:
        require_running(proxy)
        if time.monotonic() > deadline:
            return False
    return True


def replace_file(path: Path, text: str) -> None:
    """Puts a new file in the place of the old one in one step, as editors and ConfigMaps do."""
    new = path.parent.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


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
    verdict = f"NO: {result.complaint}" if result.complaint else "yes"
    return f"  {result.case.shows}", str(result.case.origin), str(result.destination), answered_by, seen, verdict


def sentence(change: Change) -> str:
    """What came of a change, in a line."""
    if change.seconds is None:
        return f"[red]{GROWING} was given {change.what}: not in force after {CHANGE_SECONDS:g} s."
    late = "" if change.seconds <= PROMISE_SECONDS else f" [yellow](later than the promised {PROMISE_SECONDS:g} s)[/]"
    return f"{GROWING} was given {change.what}: in force on all nodes after {change.seconds:.2f} s{late}."


def say(what: str) -> None:
    """Reports progress, on stderr."""
    progress.print(f"… {what}", style="dim", markup=False)


if __name__ == "__main__":
    main()
