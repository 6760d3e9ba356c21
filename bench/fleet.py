"""What a whole cluster of nodes costs one API server: `python -m bench.fleet`.

One real proxy follows one real server, through a relay that counts bytes and connections. From that, and from how the
clients wait after a failure, this computes what 100, 1,000 and 5,000 nodes do together:

- start at once: every node connects and lists in the same moment, as after a power failure.
- rolling restart: one node a second.
- 10 changes a second: each is sent to every node.
- outage of a minute: nobody gets an answer for 60 s; then all come back. The waits are drawn at random as the clients
  do it: this program's from its own `Backoff`; kube-proxy's from client-go's reflector, which waits 0.8 s after the
  first failure and twice as long after each other one, up to 30 s, and up to as much again at random.

The server is taken to have a network of 10 Gbit/s, and as many cores as `CORES`; how much CPU a start takes is that of
the measured kube-apiserver. What it would queue or refuse under load (API Priority and Fairness) is left out.
"""

import gzip
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bench.figures import Figure, Floor, Unit, at_most
from bench.harness import Run, quantile
from bench.namespaces import run_in_fresh
from bench.program import TICKS
from bench.real_api import RealApiServer, open_api_server
from bench.report import print_table
from bench.synthetic import CLUSTER_CIDR, Shape, documents, slice_documents, unassigned
from e2e.proxies import UNMANAGED
from pykubeproxy.cluster.timeouts import Backoff
from tests.apiserver import resources
from tests.apiserver.kubeconfig import Access, Client
from tests.apiserver.server import ApiServer

TITLE = "fleet"
START = "start at once, bytes"

NODES = (100, 1000, 5000)
CORES = 16
GIGABITS = 10
OUTAGE_SECONDS = 60.0
RATE = 10

Waits = Callable[[random.Random], Iterator[float]]
"""The seconds between attempts to reach a server that is away, drawn at random."""

# Those of Services, EndpointSlices, Nodes and ServiceCIDRs, each of which asks by itself.
_CLIENT_GO_WATCHES = 4

_SETTLED_SECONDS = 5.0
_CHANGES = 50
_READ = 1 << 16


class Traffic(Struct, frozen=True, kw_only=True):
    """What one proxy cost the server: for its start, and for one change. `start_cpu` is None without a real server."""

    start_bytes: int
    start_cpu: float | None
    connections: int
    change_bytes: float


class Lists(Struct, frozen=True, kw_only=True):
    """Bytes of what has to come over the wire at least: all objects, compressed, and the event of one change."""

    compressed: int
    event: int


def figures(run: Run) -> Iterator[Figure]:
    """Measure one proxy of each kind, and compute all scenarios; kube-proxy's only where KUBE_PROXY_BIN names it."""
    shape = Shape(run.choose(1000, 10_000), 5)
    run.say(f"{TITLE}: {shape}")
    peer = os.environ.get("KUBE_PROXY_BIN")
    own = str(Path(sys.executable).with_name("kube-proxy"))
    lists, (traffic, *theirs) = run_in_fresh(measure, shape, (own, *((peer,) if peer else ())), run.choose(1, 5))
    yield from _of_one(shape, lists, traffic)
    peers = dict(_loads(theirs[0], _client_go_waits, _CLIENT_GO_WATCHES)) if theirs else {}
    for (scenario, nodes), (unit, value) in _loads(traffic, _own_waits, 1):
        floor = Floor(what="kube-proxy", value=peers[scenario, nodes][1]) if peers else None
        yield Figure(
            measurement=f"{TITLE}: {scenario}",
            case=f"{nodes} nodes, {shape}",
            services=nodes,
            unit=unit,
            value=value,
            floor=floor,
        )


def _of_one(shape: Shape, lists: Lists, traffic: Traffic) -> Iterator[Figure]:
    for what, value, floor, times in (
        ("start", traffic.start_bytes / 1e6, Floor(what="its lists, compressed", value=lists.compressed / 1e6), 1.2),
        ("change", traffic.change_bytes / 1e6, Floor(what="the event itself", value=lists.event / 1e6), 1.0),
    ):
        yield Figure(
            measurement=f"bytes from the API server, one {what}",
            case=str(shape),
            unit=Unit.MEGABYTES,
            value=value,
            floor=floor,
            target=at_most(times, floor),
        )


def _loads(traffic: Traffic, waits: Waits, asking: int) -> Iterator[tuple[tuple[str, int], tuple[Unit, float]]]:
    """What so many nodes cost, by scenario and number of nodes. `asking` of a node's watches look for a lost server."""
    for nodes in NODES:
        megabytes = nodes * traffic.start_bytes / 1e6
        cpu = nodes * (traffic.start_cpu or 0.0) / CORES
        attempts = outage(waits, nodes * asking, random.Random(nodes))
        for scenario, unit, value in (
            (START, Unit.MEGABYTES, megabytes),
            ("start at once, until all have their lists", Unit.SECONDS, max(megabytes * 8 / (GIGABITS * 1000), cpu)),
            ("open connections", Unit.COUNT, nodes * traffic.connections),
            ("rolling restart, bytes a second", Unit.MEGABYTES, traffic.start_bytes / 1e6),
            ("10 changes a second, bytes a second", Unit.MEGABYTES, nodes * RATE * traffic.change_bytes / 1e6),
            (
                "outage of a minute, attempts in the busiest second",
                Unit.COUNT,
                max(Counter(map(int, attempts)).values()),
            ),
            ("outage of a minute, until all are back", Unit.SECONDS, max(attempts) - OUTAGE_SECONDS),
        ):
            yield (scenario, nodes), (unit, float(value))


def outage(waits: Waits, asking: int, chance: random.Random) -> list[float]:
    """When all that ask try to connect, in seconds since the server went; the last attempt of each finds it again."""
    attempts = []
    for _ in range(asking):
        at = 0.0
        for wait in waits(chance):
            at += wait
            attempts.append(at)
            if at >= OUTAGE_SECONDS:
                break
    return attempts


def _own_waits(chance: random.Random) -> Iterator[float]:
    backoff = Backoff()
    yield chance.uniform(0, backoff.probe_interval)
    while True:
        yield backoff.probe_interval


def _client_go_waits(chance: random.Random) -> Iterator[float]:
    """client-go, tools/cache/reflector.go: NewExponentialBackoffManager(800ms, 30s, 2min, 2.0, 1.0)."""
    wait = 0.8
    while True:
        yield wait * (1 + chance.random())
        wait = min(2 * wait, 30.0)


class Relay:
    """Passes connections on to a port, and counts them and their bytes from the server."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received = 0
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._to))
            self.connections += 1
            threading.Thread(target=self._pass_on, args=(client, server, 0), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, 1), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counts: int) -> None:
        try:
            while data := source.recv(_READ):
                self.received += counts * len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
        finally:
            self.connections -= counts


def measure(shape: Shape, programs: Sequence[str], starts: int) -> tuple[Lists, list[Traffic]]:
    """Start the programs in turns against a server with a whole cluster, and each time change some endpoints.

    Each is started once without being measured, since the first list costs the server twice the time of a later one,
    and then `starts` times. Bytes are those of the last start; the server's CPU time is the median of all.
    """
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as name, open_api_server() as server:
        for document in documents(shape):
            server.create(unassigned(document))
        rounds = [[_traffic(program, server, shape, Path(name)) for program in programs] for _ in range(starts + 1)]
        return _lists(server.access), [_middle(its[1:]) for its in zip(*rounds, strict=True)]


def _middle(starts: Sequence[Traffic]) -> Traffic:
    cpu = [its.start_cpu for its in starts if its.start_cpu is not None]
    return replace(starts[-1], start_cpu=quantile(cpu, 0.5) if cpu else None)


def _lists(access: Access) -> Lists:
    client = Client(access)
    services, slices = (
        client.request("GET", f"{resource.path()}?resourceVersion=0", None)
        for resource in (resources.SERVICES, resources.ENDPOINT_SLICES)
    )
    compressed = sum(len(gzip.compress(msgspec.json.encode(each), compresslevel=1)) for each in (services, slices))
    event = {"type": "MODIFIED", "object": slices["items"][0]}
    return Lists(compressed=compressed, event=len(msgspec.json.encode(event)))


def _traffic(program: str, server: RealApiServer | ApiServer, shape: Shape, folder: Path) -> Traffic:
    relay = Relay(int(server.access.url.rpartition(":")[2]))
    kubeconfig = server.kubeconfig(folder / "kubeconfig")
    kubeconfig.write_text(kubeconfig.read_text().replace(server.access.url, f"https://127.0.0.1:{relay.port}"))
    node = ("--hostname-override", "node-0", "--cluster-cidr", CLUSTER_CIDR, "--kubeconfig", str(kubeconfig))
    before = _cpu(server)
    process = subprocess.Popen([program, *node, *UNMANAGED], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        start, after, connections = _settled(relay), _cpu(server), relay.connections
        for number in range(_CHANGES):
            (document,) = slice_documents(number, shape, generation=int(time.time()) % 100_000 + number)
            server.apply(unassigned(document))
        changes = _settled(relay) - start
    finally:
        process.terminate()
        process.wait()
    return Traffic(
        start_bytes=start,
        start_cpu=None if before is None or after is None else after - before,
        connections=connections,
        change_bytes=changes / _CHANGES,
    )


def _settled(relay: Relay) -> int:
    """Wait until nothing has come for some seconds; return how many bytes had come then."""
    seen, since = 0, time.monotonic()
    while not seen or time.monotonic() - since < _SETTLED_SECONDS:
        time.sleep(0.1)
        if relay.received != seen:
            seen, since = relay.received, time.monotonic()
    return seen


def _cpu(server: RealApiServer | ApiServer) -> float | None:
    """CPU seconds that the real API server has used; None for the test bed's, which is no measure of it."""
    if not isinstance(server, RealApiServer):
        return None
    fields = Path("/proc", str(server.pid), "stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:13])) / TICKS


if __name__ == "__main__":
    print_table(list(figures(Run(is_quick="--quick" in sys.argv, backends=(), say=print))))
