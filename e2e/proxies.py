"""One real proxy process per node, each in its node's namespace, as its users start it."""

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from e2e.asking import Destination, Fate, ask
from e2e.lab import Lab, Node
from e2e.netns import LabError

CLUSTER_CIDR = "10.244.0.0/16,fd00:10:244::/56"
PROGRAMMED_SECONDS = 30.0
PAUSE_SECONDS = 0.05


# What a network namespace may not set, and no second's pause between two syncs.
FLAGS = (
    *("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"),
    *("--iptables-min-sync-period=10ms", "--log-format=json"),
)


def entries(log: Path, event: str, **fields: object) -> list[dict[str, Any]]:
    """The lines of a log in JSON with this event, or the beginning of it, and these fields."""
    lines = (msgspec.json.decode(line) for line in log.read_text().splitlines() if line[:1] + line[-1:] == "{}")
    return [
        line
        for line in lines
        if line["event"].startswith(event) and all(line.get(key) == value for key, value in fields.items())
    ]


def has_synced(log: Path, families: int = 2) -> bool:
    """True once a log says that the first sync of so many families is done."""
    return len({line["family"] for event in ("synced", "in sync") for line in entries(log, event)}) >= families


class Proxy(Struct, frozen=True, kw_only=True):
    """A running proxy; its log is the file `log`."""

    node: Node
    process: subprocess.Popen[str]
    log: Path

    def told(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The lines of a log in JSON with this event, or the beginning of it, and these fields."""
        return entries(self.log, event, **fields)

    def has_synced(self, families: int = 2) -> bool:
        """True once it has said that the first sync of so many families is done."""
        return has_synced(self.log, families)


def launch(node: Node, command: Sequence[str], log: Path) -> Proxy:
    """Starts a proxy by its command line."""
    with log.open("w") as stream:
        process = node.popen(command, stdout=stream, stderr=subprocess.STDOUT)
    return Proxy(node=node, process=process, log=log)


def start_proxy(node: Node, source: Path, log: Path, arguments: Sequence[str] = ()) -> Proxy:
    """Starts `pykubeproxy run --source SOURCE` as this node, with any further command-line arguments."""
    command = [sys.executable, "-m", "pykubeproxy", "run", "--source", str(source)]
    return launch(
        node, [*command, "--hostname-override", node.spec.name, "--cluster-cidr", CLUSTER_CIDR, *arguments], log
    )


def start_proxies(lab: Lab, source: Path, logs: Path, arguments: Sequence[str] = ()) -> tuple[Proxy, ...]:
    """Starts one proxy on every node; their logs go to <node>.log in the folder `logs`."""
    return tuple(start_proxy(node, source, logs / f"{name}.log", arguments) for name, node in lab.nodes.items())


def wait_until_programmed(proxies: Iterable[Proxy], probes: Sequence[Destination]) -> None:
    """Returns once every probe is answered from every proxy's node.

    Raises LabError, with the last line of its log, for a proxy that ends or does not get there in time.
    """
    deadline = time.monotonic() + PROGRAMMED_SECONDS
    for proxy in proxies:
        for probe in probes:
            while ask(proxy.node, probe, seconds=1.0).fate is not Fate.ANSWERED:
                require_running(proxy)
                if time.monotonic() > deadline:
                    raise LabError(f"proxy on {proxy.node.spec.name}: {probe} not answered: {last_line(proxy)}")
                time.sleep(PAUSE_SECONDS)


def require_running(proxy: Proxy) -> None:
    """Raises LabError, with the last line of its log, for a proxy that has ended."""
    status = proxy.process.poll()
    if status is not None:
        raise LabError(f"proxy on {proxy.node.spec.name} ended with status {status}: {last_line(proxy)}")


def last_line(proxy: Proxy) -> str:
    """The last line that a proxy has logged."""
    return (proxy.log.read_text().strip().splitlines() or ["no log"])[-1]
