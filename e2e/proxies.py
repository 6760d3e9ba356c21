"""Real proxy processes on the nodes of a lab, as their users start them, and what they say in their logs."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from e2e.lab import Node
from e2e.netns import LabError

CLUSTER_CIDR = "10.244.0.0/16,fd00:10:244::/56"
CONVERGENCE_SECONDS = 30.0
PAUSE_SECONDS = 0.05

UNMANAGED = (
    *("--conntrack-max-per-core=0", "--conntrack-min=0"),
    *("--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s"),
)
"""kube-proxy's flags for what belongs to the machine as a whole, and cannot be set from within a network namespace."""
FLAGS = (*UNMANAGED, "--iptables-min-sync-period=10ms", "--log-format=json")


def entries(log: Path, event: str, **fields: object) -> list[dict[str, Any]]:
    """The lines of a log in JSON with this event, or the beginning of it, and these fields."""
    lines = (msgspec.json.decode(line) for line in log.read_text().splitlines() if line[:1] + line[-1:] == "{}")
    return [
        line
        for line in lines
        if line["event"].startswith(event) and all(line.get(key) == value for key, value in fields.items())
    ]


def has_synced(log: Path, families: int = 2) -> bool:
    return len({line["family"] for event in ("synced", "in sync") for line in entries(log, event)}) >= families


class Proxy(Struct, frozen=True, kw_only=True):
    node: Node
    process: subprocess.Popen[str]
    log: Path

    def told(self, event: str, **fields: object) -> list[dict[str, Any]]:
        return entries(self.log, event, **fields)

    def has_synced(self) -> bool:
        return has_synced(self.log)

    def require_running(self) -> None:
        status = self.process.poll()
        if status is not None:
            raise LabError(f"proxy on {self.node.spec.name} ended with status {status}: {self.last_line}")

    @property
    def last_line(self) -> str:
        return (self.log.read_text().strip().splitlines() or ["no log"])[-1]


def launch(node: Node, command: Sequence[str], log: Path) -> Proxy:
    with log.open("w") as stream:
        process = node.popen(command, stdout=stream, stderr=subprocess.STDOUT)
    return Proxy(node=node, process=process, log=log)


def wait(
    proxies: Iterable[Proxy], condition: Callable[[], bool], what: str, seconds: float = CONVERGENCE_SECONDS
) -> None:
    """Wait for something while these proxies run. Raises LabError if it does not come, or one of them ends."""
    deadline = time.monotonic() + seconds
    while not condition():
        for proxy in proxies:
            proxy.require_running()
        if time.monotonic() > deadline:
            ends = "; ".join(f"{proxy.node.spec.name}: {proxy.last_line}" for proxy in proxies)
            raise LabError(f"no {what} within {seconds:g} s: {ends}")
        time.sleep(PAUSE_SECONDS)


def plain_tools(folder: Path, backend: str) -> Path:
    """Make a folder, to be put in front of PATH, in which the plain names of the tools mean those of one backend.

    kube-proxy knows no other names. Raises LabError if they are not there.
    """
    folder.mkdir()
    for program in ("iptables", "ip6tables"):
        for action in ("", "-save", "-restore"):
            found = shutil.which(f"{program}-{backend}{action}")
            if found is None:
                raise LabError(f"there is no {program}-{backend}{action}")
            (folder / f"{program}{action}").symlink_to(found)
    return folder
