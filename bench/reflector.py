"""How fast and how large it is to follow the API server: `python -m bench.reflector [SERVICES]`.

The test bed's API server runs as a process of its own, with that many Services of 5 endpoints each, as long as real
ones with their managedFields. Each measurement is a process as well: it follows Services and EndpointSlices, keeps
them in a Snapshot as the daemon does, and then has one slice after the other changed. Latency is from sending the
change to the call of `on_change`, so it has the API server's work in it.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.synthetic import NAMESPACE, Document, Shape, documents, slice_documents
from pykubeproxy.cluster.client import connect
from pykubeproxy.cluster.reflector import Reflector
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.config.types import ClientConnection
from pykubeproxy.model.snapshot import Snapshot
from tests.apiserver.client import Client
from tests.apiserver.kubeconfig import Access
from tests.apiserver.resources import ENDPOINT_SLICES as SLICES_PATH
from tests.apiserver.server import ApiServer

SERVICES_COUNT = 10_000
CHANGES = 500
_PATIENCE = 120.0
_FIELD: Document = {
    "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:app.kubernetes.io/managed-by": {}}},
    "f:spec": {},
}
_MANAGED = [
    {
        "manager": "controller",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {f"f:part-{number}": _FIELD for number in range(5)},
    }
]


def main() -> None:
    """Serve, or measure, or have both done."""
    match sys.argv[1:]:
        case ["serve", count, folder]:
            serve(int(count), Path(folder))
        case ["measure", how, count, folder]:
            measure(int(count), Path(folder), can_stream=how == "stream")
        case [*rest]:
            compare(int(rest[0]) if rest else SERVICES_COUNT)


def compare(count: int) -> None:
    """Measure both kinds of lists against one server."""
    me = (sys.executable, "-m", "bench.reflector")
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([*me, "serve", str(count), folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server,
    ):
        assert server.stdout is not None
        size = server.stdout.readline().decode().strip()
        print(f"{count} Services and EndpointSlices of 5 endpoints, {size}", flush=True)
        for how in ("stream", "pages"):
            subprocess.run([*me, "measure", how, str(count), folder], check=True)
        assert server.stdin is not None
        server.stdin.close()


def serve(count: int, folder: Path) -> None:
    """Run a server until stdin ends."""
    with ApiServer(kubernetes_service=False) as server:
        length = 0
        for document in _documents(count):
            server.create(document)
            length += len(msgspec.json.encode(document))
        server.kubeconfig(folder / "kubeconfig")
        (folder / "access").write_bytes(msgspec.json.encode(server.access))
        print(f"{length / 1e6:.0f} MB", flush=True)
        sys.stdin.read()


def measure(count: int, folder: Path, *, can_stream: bool) -> None:
    """Follow everything, and print what that took."""
    before = _memory("VmRSS")
    listener = Listener()
    begun = time.monotonic()
    settings = ClientConnection(kubeconfig=str(folder / "kubeconfig"), qps=-1)
    client = connect(settings)
    imported = _memory("VmRSS")
    reflectors = [
        Reflector(
            client,
            resource,
            on_change=listener.take,
            on_listed=lambda _: listener.listed.release(),
            can_stream=can_stream,
        )
        for resource in (SERVICES, ENDPOINT_SLICES)
    ]
    for reflector in reflectors:
        reflector.start()
    for _ in reflectors:
        assert listener.listed.acquire(timeout=_PATIENCE)
    print("streaming list" if can_stream else "paged list")
    print(f"  first list        {time.monotonic() - begun:6.2f} s")
    print(f"  memory before     {before:6.1f} MB, with the client's modules {imported:.1f} MB")
    print(f"  memory, all known {_memory('VmRSS'):6.1f} MB, at most {_memory('VmHWM'):.1f} MB")
    access = msgspec.json.decode((folder / "access").read_bytes(), type=Access)
    latencies = sorted(listener.latencies(access, count))
    middle, high = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    print(f"  change            p50 {1000 * middle:.2f} ms, p99 {1000 * high:.2f} ms")
    for reflector in reflectors:
        reflector.stop()


class Listener:
    """Keeps a Snapshot, and the time of the last change."""

    def __init__(self) -> None:
        self.listed = threading.Semaphore(0)
        self._snapshot = Snapshot()
        self._changed = threading.Event()
        self._at = 0.0

    def take(self, change: ObjectChanges) -> None:
        """A change has come."""
        self._at = time.monotonic()
        for obj in change.put:
            self._snapshot.put(obj)
        for name in change.removed:
            self._snapshot.remove(name)
        self._changed.set()

    def latencies(self, access: Access, count: int) -> Iterator[float]:
        """Make changes, one after the other, and tell the seconds until each came back."""
        shape, connection = Shape(count, 5), Client(access).connect()
        headers = {"Authorization": f"Bearer {access.token}", "Content-Type": "application/json"}
        for generation in range(1, CHANGES + 1):
            # Another one than in the measurement before, or it would be no change.
            (document,) = slice_documents(generation % count, shape, generation + os.getpid() * CHANGES)
            document |= {"metadata": _unassigned(document["metadata"])}
            path = SLICES_PATH.path(NAMESPACE, document["metadata"]["name"])
            body = msgspec.json.encode(document)
            self._changed.clear()
            sent = time.monotonic()
            connection.request("PUT", path, body, headers)
            assert self._changed.wait(_PATIENCE)
            yield self._at - sent
            connection.getresponse().read()
        connection.close()


def _documents(count: int) -> Iterator[Document]:
    for document in documents(Shape(count, 5)):
        yield document | {"metadata": _unassigned(document["metadata"]) | {"managedFields": _MANAGED}}


def _unassigned(metadata: Document) -> Document:
    """Metadata without what the API server gives."""
    return {key: value for key, value in metadata.items() if key not in ("uid", "resourceVersion")}


def _memory(field: str) -> float:
    """A figure of /proc/self/status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


if __name__ == "__main__":
    main()
