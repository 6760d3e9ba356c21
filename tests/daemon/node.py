"""A node for one test: a machine of its own, the API server of its cluster inside it, and the daemon."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2e.proxies import FLAGS, entries, has_synced
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.ruleset import Lines
from tests.apiserver import testing
from tests.apiserver.server import ApiServer
from tests.host.namespace import Namespace
from tests.kernel.machine import Kind, Machine, machine, wait_until, why_without

NAME, WEB = "node-a", "10.96.0.20"
SHORT_TIMEOUTS = (sys.executable, str(Path(__file__).with_name("short_timeouts.py")))
KUBE_PROXY = (str(Path(sysconfig.get_path("scripts"), "kube-proxy")),)
NFT4 = Kind(family=Family.IPV4, backend=Backend.NFT)
NFT6 = Kind(family=Family.IPV6, backend=Backend.NFT)

HEALTHZ, METRICS = 10256, 10249
ENDING_SECONDS = 10.0

Result = TypeVar("Result")


class Daemon:
    """The running program, and what it has said."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path, namespace: Namespace) -> None:
        self.process = process
        self._log = log
        self._namespace = namespace

    @property
    def log(self) -> str:
        return self._log.read_text()

    def told(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The log lines with this text, or the beginning of it, and these fields."""
        return entries(self._log, event, **fields)

    def wait_told(self, event: str, count: int = 1, **fields: object) -> list[dict[str, Any]]:
        """Wait until such lines are in the log."""
        self.wait(lambda: len(self.told(event, **fields)) >= count, f"{count} x {event} {fields or ''}")
        return self.told(event, **fields)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for something, as long as the program runs; what it has said is shown if it does not come."""

        def has_come() -> bool:
            if condition():
                return True
            assert self.process.poll() is None, f"ended before {what}"
            return False

        try:
            wait_until(has_come, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None

    def wait_synced(self, families: int = 2) -> "Daemon":
        """Wait for the first sync of all families."""
        self.wait(lambda: has_synced(self._log, families), "the first sync")
        return self

    def wait_ended(self) -> int:
        """Wait for the program to end by itself; return its exit status."""
        return self.process.wait(ENDING_SECONDS)

    def end(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Tell it to end; return the seconds that it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        assert self.process.wait(ENDING_SECONDS) == 0, self.log
        return time.monotonic() - begun

    def get(self, path: str, port: int = METRICS, host: str = "127.0.0.1") -> tuple[int, bytes]:
        """Ask one of its servers."""

        def ask() -> tuple[int, bytes]:
            with contextlib.closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
                connection.request("GET", path)
                response = connection.getresponse()
                return response.status, response.read()

        return self._namespace.run(ask)

    def metrics(self) -> dict[str, float]:
        """All samples by name and labels: `name` or `name{label="value"}`, labels sorted."""
        samples = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1].decode()):
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return samples

    def resources(self) -> tuple[int, int]:
        """How many threads and open files it has."""
        proc = Path("/proc", str(self.process.pid))
        return len(list((proc / "task").iterdir())), len(list((proc / "fd").iterdir()))


class Node:
    """The machine, its API server, and where the files of the test are."""

    def __init__(self, machine: Machine, api: ApiServer, folder: Path) -> None:
        self.machine = machine
        self.api = api
        self.folder = folder
        self.namespace = Namespace(machine.name)
        self.kubeconfig = api.kubeconfig(folder / "kubeconfig")
        self._count = 0

    def serve(self, *endpoints: str, name: str = "web", address: str = WEB, **spec: Any) -> None:
        """Create a Service, and its slice with these endpoints on port 8080."""
        self.api.create(testing.service(name, clusterIP=address, **spec))
        self.api.create(testing.endpoint_slice(name, *endpoints))

    def move(self, *endpoints: str) -> None:
        """From now on, the Service has these endpoints."""
        self.api.apply(testing.endpoint_slice("web", *endpoints))

    def start(self, *flags: str, command: tuple[str, ...] = SHORT_TIMEOUTS, path: str | None = None) -> Daemon:
        """Start the daemon, for this node of the cluster."""
        its = (f"--kubeconfig={self.kubeconfig}", f"--hostname-override={NAME}")
        return self.run(*command, *its, *FLAGS, *flags, path=path)

    def run(self, *command: str, path: str | None = None) -> Daemon:
        """Start a program with a log of its own."""
        self._count += 1
        log = self.folder / f"log-{self._count}"
        first_in_path = (f"PATH={path}{os.pathsep}{os.environ['PATH']}",) if path else ()
        environment = ("env", "-u", "HTTPS_PROXY", "-u", "https_proxy", *first_in_path)
        with log.open("w") as stream:
            process = self.machine.popen([*environment, *command], stdout=stream, stderr=subprocess.STDOUT)
        return Daemon(process, log, self.namespace)

    def dump(self, kind: Kind = NFT4) -> str:
        """The live rules, without what passes by: since iptables 1.8.10, built-in chains count packets."""
        return re.sub(r"\[\d+:\d+\]", "[0:0]", self.machine.dump(kind))

    def chains(self, kind: Kind = NFT4) -> dict[str, dict[str, Lines]]:
        """The live rules by table and chain."""
        return {name: table.chains for name, table in self.machine.rules(kind).tables.items()}

    def sends_to(self, *endpoints: str, kind: Kind = NFT4) -> bool:
        """True if rules send to just these endpoints, as `ip:port`."""
        lines = [line.split() for line in self.dump(kind).splitlines()]
        return {words[-1] for words in lines if "--to-destination" in words} == {*endpoints}

    def inside(self, function: Callable[[], Result]) -> Result:
        """Call a function in the machine's network."""
        return self.namespace.run(function)


@contextlib.contextmanager
def node_of_cluster(folder: Path) -> Iterator[Node]:
    """A fresh node of a test server, whose calls may be made from anywhere, where there are iptables tools.

    Like a real server, that one gives up a version from the future before its clients give it up.
    """
    for kind in (NFT4, NFT6):
        if lack := why_without(kind):
            pytest.skip(lack)
    with machine() as its, Namespace(its.name).run(lambda: ApiServer(patience=0.5)) as api:
        yield Node(its, api, folder)
