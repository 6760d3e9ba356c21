"""The daemon as it is deployed: it follows an API server, the test bed's own, in the node's namespace.

`python -m bench.following SERVICES FOLDER` is that server, with a whole cluster of 5 endpoints per Service in it.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.figures import Figure, Target, Unit, timed
from bench.harness import Run, Sample, Timing
from bench.memory import at_rest
from bench.namespaces import namespace, run_inside
from bench.program import daemon
from bench.synthetic import Document, Shape, documents, slice_documents, unassigned
from e2e.netns import Namespace
from e2e.proxies import UNMANAGED
from pykubeproxy.host.backend import Backend
from pykubeproxy.host.generations import GenerationMonitor
from tests.apiserver.kubeconfig import Access, Client
from tests.apiserver.resources import ENDPOINT_SLICES
from tests.apiserver.server import ApiServer

STEADY, OWN = "CPU at 10 changes a second", "CPU at 10 changes a second, without the tools"
EVENT = "one change, API server to kernel"

_LIMIT = Target(text="≤ 2 %", limit=0.02)
_RATE = 10
_PATIENCE = 30.0
_AT_ONCE = ("--iptables-min-sync-period", "0s")  # one sync after the other, without a second's pause

# What makes up half of a real object's length.
_FIELD: Document = {
    "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:app.kubernetes.io/managed-by": {}}},
    "f:spec": {},
}
_MANAGED = {
    "manager": "controller",
    "operation": "Update",
    "apiVersion": "v1",
    "time": "2026-01-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {f"f:part-{number}": _FIELD for number in range(5)},
}


def figures(run: Run) -> Iterator[Figure]:
    """Measure all backends; memory once, and latency with the nft tools, which announce each change."""
    shape = Shape(run.choose(1000, 10_000), 5)
    count = run.choose(5, 30) * _RATE
    for backend in run.backends:
        with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as name, namespace() as node:
            folder = Path(name)
            run.say(f"following an API server: {backend}, {shape}: fill it")
            with _api_server(node, shape, folder) as kubeconfig:
                arguments = ("--kubeconfig", str(kubeconfig), *UNMANAGED)
                run.say(f"following an API server: {backend}, {shape}: changes")
                with daemon(node, backend, arguments) as program:
                    program.wait_until_synced()
                    if backend is Backend.NFT:
                        yield from at_rest(run, program, shape, "API")
                    before = program.spent()
                    seconds = run_inside(node.name, _change_at, _RATE, folder, shape, range(1, count + 1))
                    after = program.spent()
                for title, spent, target in (
                    (STEADY, after.cpu - before.cpu, None),
                    (OWN, after.own_cpu - before.own_cpu, _LIMIT if backend is Backend.NFT else None),
                ):
                    yield Figure(
                        measurement=title,
                        case=f"{shape}, API",
                        backend=backend,
                        services=shape.services,
                        unit=Unit.CORES,
                        value=spent / seconds,
                        target=target,
                    )
                if backend is Backend.NFT:
                    with daemon(node, backend, (*arguments, *_AT_ONCE)) as program:
                        program.wait_until_synced()
                        generations = range(count + 1, count + run.choose(10, 40))
                        latency = run_inside(node.name, _changes_until_kernel, folder, shape, generations)
                    yield timed(EVENT, str(shape), latency, backend=backend, services=shape.services)


@contextmanager
def _api_server(node: Namespace, shape: Shape, folder: Path) -> Iterator[Path]:
    """Serve a cluster; yields the path of a kubeconfig."""
    command = [sys.executable, "-m", "bench.following", str(shape.services), str(folder)]
    server = node.popen(command, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        if not server.stdout.readline():
            raise RuntimeError("the test API server did not start")
        yield folder / "kubeconfig"
    finally:
        server.terminate()
        server.wait()


def serve(shape: Shape, folder: Path) -> None:
    """Run a server until it is ended; it says so when it is ready."""
    with ApiServer(kubernetes_service=False) as server:
        for document in documents(shape):
            made = unassigned(document)
            server.create(made | {"metadata": made["metadata"] | {"managedFields": [_MANAGED]}})
        server.kubeconfig(folder / "kubeconfig")
        (folder / "access").write_bytes(msgspec.json.encode(server.access))
        print("ready", flush=True)
        while True:
            time.sleep(_PATIENCE)


def _change_at(rate: float, folder: Path, shape: Shape, generations: Sequence[int]) -> float:
    """Change endpoints by API at a pace; return the seconds that it took."""
    client = _client(folder)
    begun = time.monotonic()
    for number, generation in enumerate(generations):
        time.sleep(max(begun + number / rate - time.monotonic(), 0))
        _change(client, shape, generation)
    return time.monotonic() - begun


def _changes_until_kernel(folder: Path, shape: Shape, generations: Sequence[int]) -> Timing:
    """Change one endpoint after the other by API, and wait each time until the kernel's nftables rules have changed."""
    client = _client(folder)
    watch = GenerationMonitor()
    samples = []
    for generation in generations:
        while watch.wait(0.05):
            pass
        begun = time.perf_counter()
        _change(client, shape, generation)
        assert watch.wait(_PATIENCE), "the change did not come to the kernel"
        samples.append(Sample(time.perf_counter() - begun))
    watch.close()
    return Timing(samples)


def _client(folder: Path) -> Client:
    return Client(msgspec.json.decode((folder / "access").read_bytes(), type=Access))


def _change(client: Client, shape: Shape, generation: int) -> None:
    """Put a slice in which one endpoint is another one than in any generation before."""
    (document,) = map(unassigned, slice_documents(generation * 7919 % shape.services, shape, generation))
    path = ENDPOINT_SLICES.path(document["metadata"]["namespace"], document["metadata"]["name"])
    client.request("PUT", path, document)


if __name__ == "__main__":
    serve(Shape(int(sys.argv[1]), 5), Path(sys.argv[2]))
