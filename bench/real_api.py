"""The real `etcd` and `kube-apiserver`: what kube-proxy is measured with, as the test bed's server knows only JSON.

The convention is that of controller-runtime's envtest: KUBEBUILDER_ASSETS names a folder with both programs.
"""

import contextlib
import http.client
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.synthetic import Document
from tests.apiserver import kubeconfig, pki, resources
from tests.apiserver.kubeconfig import Access, Client
from tests.apiserver.server import ApiServer

NODE = {
    "kind": "Node",
    "apiVersion": "v1",
    "metadata": {"name": "node-0"},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
}
"""The node of the measured proxies; kube-proxy waits for it."""

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.1
_SERVICE_CIDRS = "10.96.0.0/12,fd00:10:96::/112"


@contextlib.contextmanager
def open_api_server() -> "Iterator[RealApiServer | ApiServer]":
    """The real API server if KUBEBUILDER_ASSETS names its programs, else the test bed's; closed with the block."""
    programs = os.environ.get("KUBEBUILDER_ASSETS")
    if not programs:
        with ApiServer(kubernetes_service=False) as server:
            yield server
        return
    with tempfile.TemporaryDirectory(prefix="pykubeproxy-bench-") as home, contextlib.ExitStack() as closing:
        yield RealApiServer(Path(programs), Path(home), closing)


class RealApiServer:
    """A running etcd and kube-apiserver on free ports of loopback. `pid` is that of kube-apiserver."""

    def __init__(self, programs: Path, home: Path, closing: contextlib.ExitStack) -> None:
        """Start both, and wait until they are ready. Raises RuntimeError with the ends of their logs otherwise."""
        self._home = home
        self._closing = closing
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._namespaces = {"default"}
        etcd, peer, port = _free_ports(3)
        certificates = pki.issue(pki.names_of("127.0.0.1"))
        url = f"https://127.0.0.1:{port}"
        self.access = Access(url=url, pki=certificates, token=secrets.token_urlsafe(24))
        self._client = Client(self.access)
        self._start(programs / "etcd", _etcd_flags(home, etcd, peer))
        self._start(programs / "kube-apiserver", self._apiserver_flags(etcd, port))
        self.pid = self._processes["kube-apiserver"].pid
        self._wait_ready()

    def create(self, document: Document) -> None:
        """Create an object, and its namespace if there is none."""
        namespace = document["metadata"]["namespace"]
        if namespace not in self._namespaces:
            self._namespaces.add(namespace)
            self._client.request(
                "POST", "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": namespace}, "apiVersion": "v1"}
            )
        self._client.request("POST", resources.named(document["kind"]).path(namespace), document)

    def apply(self, document: Document) -> None:
        """Replace the object of this name."""
        metadata = document["metadata"]
        path = resources.named(document["kind"]).path(metadata["namespace"], metadata["name"])
        self._client.request("PUT", path, document)

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig; return `path`."""
        return kubeconfig.write(path, self.access)

    def _apiserver_flags(self, etcd: int, port: int) -> list[str]:
        certificates = self.access.pki
        files = {
            "ca.crt": certificates.authority,
            "tls.crt": certificates.server.certificate,
            "tls.key": certificates.server.key,
            "accounts.key": subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout,
            "tokens.csv": f'{self.access.token},bench,bench,"system:masters"\n'.encode(),
        }
        for name, content in files.items():
            (self._home / name).write_bytes(content)
        return [
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={self._home / 'tls.crt'}",
            f"--tls-private-key-file={self._home / 'tls.key'}",
            f"--client-ca-file={self._home / 'ca.crt'}",
            f"--token-auth-file={self._home / 'tokens.csv'}",
            f"--cert-dir={self._home}",
            "--authorization-mode=AlwaysAllow",
            "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._home / 'accounts.key'}",
            f"--service-account-signing-key-file={self._home / 'accounts.key'}",
            f"--service-cluster-ip-range={_SERVICE_CIDRS}",
            "--endpoint-reconciler-type=none",
        ]

    def _start(self, program: Path, flags: list[str]) -> None:
        with (self._home / f"{program.name}.log").open("wb") as log:
            process = subprocess.Popen([program, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes[program.name] = process
        self._closing.callback(process.wait)
        self._closing.callback(process.terminate)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            # The Service default/kubernetes comes a moment after the server is ready.
            with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
                self._client.request("GET", resources.SERVICES.path("default", "kubernetes"), None)
                self._client.request("POST", "/api/v1/nodes", NODE)
                return
            if time.monotonic() > deadline or any(each.poll() is not None for each in self._processes.values()):
                ends = (f"{log.name}: {log.read_text(errors='replace')[-1000:]}" for log in self._home.glob("*.log"))
                raise RuntimeError("\n".join(["the API server did not get ready", *ends]))
            time.sleep(_POLL_SECONDS)


def _etcd_flags(home: Path, client: int, peer: int) -> list[str]:
    urls, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    return [
        f"--data-dir={home / 'etcd'}",
        f"--listen-client-urls={urls}",
        f"--advertise-client-urls={urls}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
    ]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as closing:
        sockets = [closing.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in sockets]
