"""The test bed's API server with a whole cluster in it, in a measured node's own namespace."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.harness import Sample, Timing
from bench.synthetic import Document, Shape, slice_documents
from e2e.netns import Namespace
from pykubeproxy.host.generations import GenerationMonitor
from tests.apiserver.client import Client
from tests.apiserver.kubeconfig import Access
from tests.apiserver.resources import ENDPOINT_SLICES

_PATIENCE = 30.0


@contextmanager
def api_server(node: Namespace, shape: Shape, folder: Path) -> Iterator[Path]:
    """Serve a cluster of 5 endpoints per Service; yields the path of a kubeconfig."""
    assert shape.endpoints == 5, "what bench.reflector serves"
    command = [sys.executable, "-m", "bench.reflector", "serve", str(shape.services), str(folder)]
    server = node.popen(command, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        if not server.stdout.readline():
            raise RuntimeError("the test API server did not start")
        yield folder / "kubeconfig"
    finally:
        server.terminate()
        server.wait()


def changes_until_kernel(folder: Path, shape: Shape, generations: Sequence[int]) -> Timing:
    """Change one endpoint after the other by API, and wait each time until the kernel's nftables rules have changed."""
    client = _client(folder)
    watch = GenerationMonitor()
    samples = []
    for generation in generations:
        document = _changed(shape, generation)
        _wait_for_quiet(watch)
        begun = time.perf_counter()
        _put(client, document)
        assert watch.wait(_PATIENCE), "the change did not come to the kernel"
        samples.append(Sample(time.perf_counter() - begun))
    watch.close()
    return Timing(tuple(samples))


def change_at(rate: float, folder: Path, shape: Shape, generations: Sequence[int]) -> float:
    """Change endpoints by API at a pace; return the seconds that it took."""
    client = _client(folder)
    begun = time.monotonic()
    for number, generation in enumerate(generations):
        time.sleep(max(begun + number / rate - time.monotonic(), 0))
        _put(client, _changed(shape, generation))
    return time.monotonic() - begun


def _client(folder: Path) -> Client:
    return Client(msgspec.json.decode((folder / "access").read_bytes(), type=Access))


def _changed(shape: Shape, generation: int) -> Document:
    """A slice in which one endpoint is another one than in any generation before."""
    (document,) = slice_documents(generation * 7919 % shape.services, shape, generation)
    given = ("uid", "resourceVersion")
    return document | {"metadata": {key: value for key, value in document["metadata"].items() if key not in given}}


def _put(client: Client, document: Document) -> None:
    metadata = document["metadata"]
    client.request("PUT", ENDPOINT_SLICES.path(metadata["namespace"], metadata["name"]), document)


def _wait_for_quiet(watch: GenerationMonitor) -> None:
    while watch.wait(0.05):
        pass
