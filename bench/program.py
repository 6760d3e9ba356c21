"""The real program, as its users start it: what a run of it cost, and what it said about its syncs."""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from msgspec import Struct

from bench.harness import Sample
from bench.synthetic import CLUSTER_CIDR
from e2e.netns import Namespace
from pykubeproxy.host.backend import Backend

PATIENCE_SECONDS = 300.0

# Seconds within which a daemon reads all rules for the first time after its start, to find out how long that takes.
FIRST_LOOK = 40.0

_SYNCED = ("synced", "in sync; nothing to write")
TICKS = os.sysconf("SC_CLK_TCK")
_WARM_UP = """
import importlib, pkgutil, kubernetes.config, pykubeproxy
for module in pkgutil.walk_packages(pykubeproxy.__path__, "pykubeproxy."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


class Ended(Struct, frozen=True, kw_only=True):
    """A run that is over: what the whole process cost, how long the sync in it took, and whether that wrote."""

    process: Sample
    sync_seconds: float
    wrote: bool


class Spent(Struct, frozen=True, kw_only=True):
    """What a running process has used until now: CPU seconds, with its children's and its own, and memory in MB."""

    cpu: float
    own_cpu: float
    megabytes: float
    peak_megabytes: float


def as_installed(argv: Sequence[str]) -> list[str]:
    """A command line of Python's, to be run as that of an installed program: with modules that are compiled already."""
    return ["env", "--unset=PYTHONDONTWRITEBYTECODE", f"PYTHONPYCACHEPREFIX={_bytecode()}", *argv]


@cache
def _bytecode() -> str:
    """A folder with the compiled modules, removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="pykubeproxy-bench-bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", _WARM_UP], env=variables | {"PYTHONPYCACHEPREFIX": folder}, check=True)
    return folder


def command(backend: Backend, *arguments: str) -> list[str]:
    """The command line of `pykubeproxy run` for the measured node."""
    node = ("--hostname-override", "node-0", "--cluster-cidr", CLUSTER_CIDR, "--family", "ipv4", "--backend", backend)
    return as_installed([sys.executable, "-m", "pykubeproxy", "run", *node, "--log-format", "json", *arguments])


def run_once(name: str, backend: Backend, source: Path, *arguments: str) -> Ended:
    """Run `pykubeproxy run --once` in the namespace `name`. Raises RuntimeError if it is not in sync then."""
    argv = command(backend, "--source", str(source), "--once", *arguments)
    with tempfile.TemporaryFile() as log:
        begun = time.perf_counter()
        process = subprocess.Popen(["ip", "netns", "exec", name, *argv], stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begun
        log.seek(0)
        text = log.read().decode(errors="replace")
    synced = [line for line in events(text) if line.get("event") in _SYNCED]
    if process.returncode or not synced:
        raise RuntimeError(f"{' '.join(argv)}: status {process.returncode}: {text.strip().splitlines()[-1:]}")
    return Ended(
        process=Sample(wall, usage.ru_utime + usage.ru_stime),
        sync_seconds=float(str(synced[-1]["seconds"])),
        wrote=synced[-1]["event"] == "synced",
    )


def events(log: str) -> Iterator[dict[str, object]]:
    """The lines of a JSON log."""
    for line in log.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


@contextmanager
def daemon(node: Namespace, backend: Backend, arguments: Sequence[str]) -> Iterator["Daemon"]:
    """`pykubeproxy run` in a namespace; ended with the block."""
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as folder:
        log = Path(folder, "log")
        with log.open("w") as stream:
            process = node.popen(command(backend, *arguments), stdout=stream, stderr=subprocess.STDOUT)
        try:
            yield Daemon(process, log)
        finally:
            process.terminate()
            process.wait()


class Daemon:
    """A running program, and its log. Its pid is the program's own: what is around it replaces itself by it."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def wait_until_synced(self) -> None:
        """Return after the first sync. Raises RuntimeError if there is none."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not any(line.get("event") in _SYNCED for line in events(self._log.read_text())):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the program did not sync: {self._log.read_text().strip().splitlines()[-1:]}")
            time.sleep(0.05)

    def spent(self) -> Spent:
        """What it has used until now."""
        folder = Path("/proc", str(self._process.pid))
        fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        status = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", (folder / "status").read_text(), re.MULTILINE))
        return Spent(
            # utime, stime, cutime, cstime: proc(5), fields 14 to 17.
            cpu=sum(map(int, fields[11:15])) / TICKS,
            own_cpu=sum(map(int, fields[11:13])) / TICKS,
            megabytes=int(status["VmRSS"]) / 1024,
            peak_megabytes=int(status["VmHWM"]) / 1024,
        )

    def idle(self, seconds: float) -> float:
        """CPU seconds a second while nothing happens, over so many seconds."""
        before, begun = self.spent().cpu, time.monotonic()
        time.sleep(seconds)
        return (self.spent().cpu - before) / (time.monotonic() - begun)
