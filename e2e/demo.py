"""What `make run` shows: the Services of examples/ at work, on two nodes made of network namespaces.

Prints a table of what was asked, from where, and who answered; then changes a manifest and watches the change arrive.
Exit status 0 if everything was as expected, 1 if not or if this machine cannot build the lab.
"""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from e2e.asking import Destination, Fate, ask
from e2e.cases import CLUSTER_IP, CLUSTER_IP_V6, EXAMPLE_CASES
from e2e.cluster import RUN
from e2e.judging import Result, resolve, run_case
from e2e.lab import Lab, open_lab
from e2e.netns import LabError
from e2e.objects import JsonObject, read_manifests, services_by_name, topology_of
from e2e.proxies import CLUSTER_CIDR, Proxy, launch, wait

EXAMPLES = Path(__file__).parent.parent / "examples"
FILE_WIDTH = 132  # where the output is not a terminal
CHANGE_SECONDS = 10.0
SYNC_PAUSE_SECONDS = 1.0  # --iptables-min-sync-period: a change that comes sooner after another waits for its turn

PROBE = "default/portal"  # answered in both families as soon as a node is programmed
GROWING = "no-endpoints.yaml"
GROWING_SERVICE = "default/coming-soon"
NO_ENDPOINTS = "endpoints: []"
ONE_ENDPOINT = """endpoints:
  - addresses: [10.244.1.11]
    nodeName: node-b
    targetRef: {kind: Pod, namespace: default, name: web-3}
    conditions: {ready: true}"""

progress = Console(stderr=True, highlight=False)


@click.command(epilog="Example: python -m e2e.demo -- --backend legacy")
@click.option("--keep", is_flag=True, help="Leave the nodes up until Ctrl-C, and say what to try on them.")
@click.argument("proxy_arguments", nargs=-1)
def main(proxy_arguments: tuple[str, ...], *, keep: bool) -> None:
    """Show the Services of examples/ at work on two nodes; PROXY_ARGUMENTS are given to every proxy."""
    output = Console()
    output = output if output.is_terminal else Console(width=FILE_WIDTH)
    try:
        is_as_expected = demonstrate(proxy_arguments, output, keep=keep)
    except LabError as error:
        progress.print(f"demo: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    sys.exit(0 if is_as_expected else 1)


def demonstrate(proxy_arguments: Sequence[str], output: Console, *, keep: bool) -> bool:
    """Builds the lab, asks every case, changes a manifest, and leaves nothing behind. Raises LabError."""
    objects = read_manifests(EXAMPLES)
    services, topology = services_by_name(objects), topology_of(objects)
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-demo-") as scratch:
        source = Path(shutil.copytree(EXAMPLES, Path(scratch, "examples")))
        say(f"building {len(topology.nodes)} nodes out of network namespaces")
        with open_lab(topology) as lab:
            say(f"starting a proxy on each of {', '.join(lab.nodes)}; {len(lab.pods)} pods are up")
            proxies = list(start_proxies(lab, source, Path(scratch), proxy_arguments))
            wait_until_programmed(proxies, services[PROBE], lab)
            say(f"asking {len(services)} Services in {len(EXAMPLE_CASES)} ways")
            results = [run_case(lab, services, case) for case in EXAMPLE_CASES]
            say(f"changing {GROWING} under the running proxies")
            empty = resolve(lab.topology, services[GROWING_SERVICE], CLUSTER_IP)
            changes = dict(grow_and_shrink(proxies, source / GROWING, empty))
            is_as_expected = show(output, results, changes)
            if keep:
                wait_for_interrupt(output, lab)
            say("cleaning up")
    return is_as_expected


def start_proxies(lab: Lab, source: Path, logs: Path, arguments: Sequence[str]) -> Iterator[Proxy]:
    for name, node in lab.nodes.items():
        flags = (f"--source={source}", f"--hostname-override={name}", f"--cluster-cidr={CLUSTER_CIDR}")
        yield launch(node, [*RUN, *flags, *arguments], logs / f"{name}.log")


def wait_until_programmed(proxies: Sequence[Proxy], service: JsonObject, lab: Lab) -> None:
    for probe in (resolve(lab.topology, service, target) for target in (CLUSTER_IP, CLUSTER_IP_V6)):
        wait(proxies, lambda probe=probe: all_nodes_see(proxies, probe, Fate.ANSWERED), f"answer from {probe}")  # type: ignore[misc]


def all_nodes_see(proxies: Sequence[Proxy], destination: Destination, fate: Fate) -> bool:
    return all(ask(proxy.node, destination, seconds=1.0).fate is fate for proxy in proxies)


def grow_and_shrink(proxies: Sequence[Proxy], manifest: Path, destination: Destination) -> Iterator[tuple[str, bool]]:
    """Gives the Service without endpoints its first one, then takes it away again; tells whether connections follow.

    `destination` is the Service's cluster IP. Raises LabError if a proxy ends meanwhile.
    """
    empty = manifest.read_text()
    for what, text, fate in (
        ("a first endpoint", empty.replace(NO_ENDPOINTS, ONE_ENDPOINT), Fate.ANSWERED),
        ("no endpoint again", empty, Fate.REFUSED),
    ):
        time.sleep(SYNC_PAUSE_SECONDS)
        started = time.monotonic()
        # In one step, as editors and ConfigMaps do it.
        new = manifest.parent.with_name(f"{manifest.name}.new")
        new.write_text(text)
        new.replace(manifest)
        is_in_force = False
        while not is_in_force and time.monotonic() < started + CHANGE_SECONDS:
            for proxy in proxies:
                proxy.require_running()
            is_in_force = all_nodes_see(proxies, destination, fate)
        so = f"{'' if is_in_force else 'not '}in force on all nodes after {time.monotonic() - started:.2f} s"
        yield f"{GROWING} was given {what}: {so}.", is_in_force


def wait_for_interrupt(output: Console, lab: Lab) -> None:
    """Say what can be tried on the first node while it is up, and wait for Ctrl-C."""
    node = next(iter(lab.nodes.values()))
    here = f"ip netns exec {node.name} {Path(sys.executable).with_name('pykubeproxy')}"
    output.print("\nThe nodes stay up until Ctrl-C. In another terminal, as root:\n", highlight=False)
    for command in ("status", "trace --from node --to default/web:http", "services default/web"):
        output.print(f"  {here} {command}", highlight=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        signal.pause()


def show(output: Console, results: Sequence[Result], changes: Mapping[str, bool]) -> bool:
    """Prints the table, what is wrong in it, the changes, and the sum; returns whether all is as expected."""
    output.print(table(results))
    for result in results:
        if result.complaint:
            where = f"{result.case.service}, {result.case.shows}, {result.case.origin} to {result.destination}"
            output.print(Text(f"{where}: {result.complaint}", style="red"), soft_wrap=True)
    for sentence, is_in_force in changes.items():
        output.print(sentence, style="" if is_in_force else "red", highlight=False, soft_wrap=True)
    good = [result.complaint is None for result in results] + list(changes.values())
    output.print(f"{sum(good)} of {len(good)} as expected.", style="green" if all(good) else "red", highlight=False)
    return all(good)


def table(results: Sequence[Result]) -> Table:
    rows = Table("Service", "From", "To", "Answered by", "Client seen", "As expected", box=SIMPLE_HEAD)
    for service, group in groupby(results, key=lambda result: result.case.service):
        rows.add_section()
        rows.add_row(Text(service, style="bold"))
        for result in group:
            rows.add_row(*map(escape, cells(result)), style="red" if result.complaint else "")
    return rows


def cells(result: Result) -> tuple[str, ...]:
    replies = [outcome.reply for outcome in result.outcomes if outcome.reply is not None]
    answered_by = ", ".join(sorted({reply.pod for reply in replies})) or str(result.outcomes[-1].fate)
    seen = ", ".join(sorted({"own" if reply.client in result.own_addresses else "a node's" for reply in replies}))
    verdict = "NO" if result.complaint else "yes"
    return f"  {result.case.shows}", result.case.origin, str(result.destination), answered_by, seen, verdict


def say(what: str) -> None:
    progress.print(f"… {what}", style="dim", markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
