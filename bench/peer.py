"""kube-proxy itself beside this program: the same cluster, API server, tools, and metrics, in one run.

KUBE_PROXY_BIN names the program, and KUBEBUILDER_ASSETS the folder with the etcd and kube-apiserver that both follow;
without those, it is the test bed's server. What a sync takes, and when the first one ended, each program tells itself,
by the metrics that both have.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path

from msgspec import Struct

from bench.figures import Figure, Floor, Unit, at_most
from bench.harness import Run, quantile, settle, tool
from bench.namespaces import run_in_fresh
from bench.program import as_installed
from bench.real_api import RealApiServer, open_api_server
from bench.synthetic import CLUSTER_CIDR, Shape, documents, slice_documents, unassigned
from e2e.proxies import UNMANAGED, plain_tools
from pykubeproxy.host.backend import Backend
from tests.apiserver.server import ApiServer

START, FIRST = "beside kube-proxy: start to the end of the first sync", "beside kube-proxy: first sync"
CHANGE, PEAK = "beside kube-proxy: one change", "beside kube-proxy: peak memory"

_METRICS = "http://127.0.0.1:10249/metrics"
_SYNCS = re.compile(
    r'^kubeproxy_sync_proxy_rules_duration_seconds_(sum|count)(?:\{ip_family="IPv4"\})? (\S+)$', re.MULTILINE
)
_ENDED = re.compile(r'^kubeproxy_sync_proxy_rules_last_timestamp_seconds(?:\{ip_family="IPv4"\})? (\S+)$', re.MULTILINE)
_PATIENCE_SECONDS = 1800.0
_QUIET_SECONDS = 3.0
_NODE = ("--hostname-override", "node-0", "--cluster-cidr", CLUSTER_CIDR, "--proxy-mode", "iptables")


class Measured(Struct, frozen=True, kw_only=True):
    """One start of a program. Seconds until the end of the first sync, and in syncs until there were no more.

    `changes` are the seconds of each change after that; memory is in MB.
    """

    start: float
    first: float
    changes: tuple[float, ...]
    peak_megabytes: float


def figures(run: Run) -> Iterator[Figure]:
    """Measure both programs; nothing where no kube-proxy is named."""
    peer = os.environ.get("KUBE_PROXY_BIN")
    # This program with kube-proxy's own command line.
    own = str(Path(sys.executable).with_name("kube-proxy"))
    for backend in run.backends if peer else ():
        # With the nft tools, kube-proxy would take seven minutes for 10,000.
        shape = Shape(run.choose(1000, 3000 if backend is Backend.NFT else 10_000), 5)
        run.say(f"beside kube-proxy: {backend}, {shape}")
        measured = run_in_fresh(compare, shape, backend, (own, str(peer)), run.choose(1, 5), run.choose(3, 5))
        for measurement, unit, values in (
            (START, Unit.SECONDS, lambda its: [its.start]),
            (FIRST, Unit.SECONDS, lambda its: [its.first]),
            (CHANGE, Unit.SECONDS, lambda its: its.changes),
            (PEAK, Unit.MEGABYTES, lambda its: [its.peak_megabytes]),
        ):
            ours, theirs = ([value for its in starts for value in values(its)] for starts in measured)
            floor = Floor(what="kube-proxy", value=quantile(theirs, 0.5))
            yield Figure(
                measurement=measurement,
                case=str(shape),
                backend=backend,
                services=shape.services,
                unit=unit,
                value=quantile(ours, 0.5),
                range=(min(ours), max(ours)),
                floor=floor,
                target=at_most(1.0, floor),
            )


def compare(shape: Shape, backend: Backend, programs: Sequence[str], starts: int, changes: int) -> list[list[Measured]]:
    """Measure each program so many times, in turns, in the namespace of the calling process.

    The first list that a server sends costs it twice the time of any later one, so each program is started once before.
    """
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as name, open_api_server() as server:
        folder = Path(name)
        server.kubeconfig(folder / "kubeconfig")
        for document in documents(shape):
            server.create(unassigned(document))
        plain_tools(folder / "bin", backend)
        generations = count(1)
        rounds = [
            [_measure(program, server, shape, folder, islice(generations, changes)) for program in programs]
            for _ in range(starts + 1)
        ]
        return [list(its) for its in zip(*rounds[1:], strict=True)]


def _measure(
    program: str, server: ApiServer | RealApiServer, shape: Shape, folder: Path, generations: Iterable[int]
) -> Measured:
    # An OOM score that stays as it is needs no rights, for want of which kube-proxy would wait 0.2 s.
    score = Path("/proc/self/oom_score_adj").read_text().strip()
    flags = ("--kubeconfig", str(folder / "kubeconfig"), f"--oom-score-adj={score}", *_NODE, *UNMANAGED)
    environment = os.environ | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = as_installed([program, *flags])
    begun = time.time()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        first, ended = _quiet(process, folder)
        changes = []
        for generation in generations:
            seconds, number = _syncs()
            (document,) = slice_documents(generation % shape.services, shape, generation)
            server.apply(unassigned(document))
            while _syncs()[1] == number:
                time.sleep(0.02)
            changes.append(_syncs()[0] - seconds)
        status = Path("/proc", str(process.pid), "status").read_text()
    finally:
        process.terminate()
        process.wait()
    for restore in ("iptables-restore", "ip6tables-restore"):
        tool([str(folder / "bin" / restore)], b"*filter\nCOMMIT\n*nat\nCOMMIT\n*mangle\nCOMMIT\n")
    settle()
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    assert peak is not None
    return Measured(start=ended - begun, first=first, changes=tuple(changes), peak_megabytes=int(peak[1]) / 1024)


def _quiet(process: "subprocess.Popen[bytes]", folder: Path) -> tuple[float, float]:
    """Wait until a program has synced and has nothing more to do.

    Returns the seconds that its syncs took, and when the first one ended, in seconds since 1970.
    """
    first_end = 0.0
    deadline = time.monotonic() + _PATIENCE_SECONDS
    last, since = (0.0, 0.0), time.monotonic()
    while not last[1] or time.monotonic() - since < _QUIET_SECONDS:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} did not sync: {(folder / 'log').read_text()[-500:]}")
        time.sleep(0.1)
        now = _syncs()
        if now != last:
            first_end = first_end or _last_sync()
            last, since = now, time.monotonic()
    return last[0], first_end


def _syncs() -> tuple[float, float]:
    """The seconds that IPv4 syncs have taken until now, and their number."""
    try:
        found = {kind: float(value) for kind, value in _SYNCS.findall(_metrics())}
    except OSError:
        return 0.0, 0.0
    return found.get("sum", 0.0), found.get("count", 0.0)


def _last_sync() -> float:
    """When the last IPv4 sync ended, in seconds since 1970."""
    return max(map(float, _ENDED.findall(_metrics())))


def _metrics() -> str:
    with urllib.request.urlopen(_METRICS, timeout=60) as answer:
        text: bytes = answer.read()
    return text.decode()
