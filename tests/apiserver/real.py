"""The real ``etcd`` and ``kube-apiserver``, for comparisons with kube-proxy.

The convention is that of controller-runtime's envtest: KUBEBUILDER_ASSETS names a folder with both programs.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.apiserver import kubeconfig, pki, resources
from tests.apiserver.client import Client
from tests.apiserver.errors import ApiError
from tests.apiserver.kubeconfig import Access
from tests.apiserver.objects import JsonObject
from tests.apiserver.resources import Resource

ASSETS = "KUBEBUILDER_ASSETS"
_PROGRAMS = ("etcd", "kube-apiserver")
_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_SERVICE_CIDRS = "10.96.0.0/12,fd00:10:96::/112"


def assets() -> Path | None:
    """Return the folder of KUBEBUILDER_ASSETS if it has both programs, None if the variable is not set.

    Raises FileNotFoundError if it is set, and a program is missing: such tests would pass without testing anything.
    """
    value = os.environ.get(ASSETS)
    if not value:
        return None
    missing = [name for name in _PROGRAMS if not os.access(Path(value, name), os.X_OK)]
    if missing:
        raise FileNotFoundError(f"{ASSETS}={value} has no {' and no '.join(missing)}; unset it for the test server")
    return Path(value)


class RealApiServer:
    """A running etcd and kube-apiserver on free ports, with their files in a temporary folder."""

    def __init__(self, programs: Path, host: str = "127.0.0.1") -> None:
        """Start both and wait until /readyz says ok; kube-apiserver listens at `host`, etcd on loopback.

        Raises RuntimeError with the ends of their logs if it does not.
        """
        self._host = host
        self._home = Path(tempfile.mkdtemp(prefix="real-apiserver-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._namespaces = {"default"}
        self._certificates = pki.issue((host, "127.0.0.1"))
        etcd, peer, port = _free_ports(3)
        self.access = Access(url=f"https://{host}:{port}", pki=self._certificates, token=secrets.token_urlsafe(24))
        self._client = Client(self.access)
        try:
            self._start(programs / "etcd", _etcd_flags(self._home, etcd, peer))
            self._start(programs / "kube-apiserver", self._apiserver_flags(etcd, port))
            self._wait_ready()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        shutil.rmtree(self._home, ignore_errors=True)

    def create(self, obj: JsonObject) -> None:
        """Create an object, and its namespace if there is none. Raises ApiError if the server does not take it."""
        resource, namespace = _place(obj)
        if namespace not in ("", *self._namespaces):
            self._ensure_namespace(namespace)
        self._client.request("POST", resource.path(namespace), obj)

    def apply(self, obj: JsonObject) -> None:
        """Create an object, or replace the one of its name."""
        resource, namespace = _place(obj)
        try:
            self.create(obj)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            self._client.request("PUT", resource.path(namespace, obj["metadata"]["name"]), obj)

    def objects(self, kind: str) -> list[JsonObject]:
        """Return all objects of a kind."""
        resource = resources.named(kind)
        return [resource.typed | item for item in self._client.request("GET", resource.path())["items"] or []]

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig; return ``path``."""
        return kubeconfig.write(path, self.access)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ensure_namespace(self, name: str) -> None:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        with contextlib.suppress(ApiError):
            self._client.request("POST", "/api/v1/namespaces", namespace)
        self._namespaces.add(name)

    def _apiserver_flags(self, etcd: int, port: int) -> list[str]:
        certificates = self._certificates
        files = {
            "ca.crt": certificates.authority,
            "tls.crt": certificates.server.certificate,
            "tls.key": certificates.server.key,
            "service-accounts.key": pki.signing_key(),
            "tokens.csv": f'{self.access.token},test,test,"system:masters"\n'.encode(),
        }
        for name, content in files.items():
            (self._home / name).write_bytes(content)
            (self._home / name).chmod(0o600)
        return [
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--bind-address={self._host}",
            f"--advertise-address={self._host}",
            f"--secure-port={port}",
            f"--tls-cert-file={self._home / 'tls.crt'}",
            f"--tls-private-key-file={self._home / 'tls.key'}",
            f"--client-ca-file={self._home / 'ca.crt'}",
            f"--token-auth-file={self._home / 'tokens.csv'}",
            f"--cert-dir={self._home}",
            "--authorization-mode=AlwaysAllow",
            "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._home / 'service-accounts.key'}",
            f"--service-account-signing-key-file={self._home / 'service-accounts.key'}",
            f"--service-cluster-ip-range={_SERVICE_CIDRS}",
            "--endpoint-reconciler-type=none",
        ]

    def _start(self, program: Path, flags: list[str]) -> None:
        with (self._home / f"{program.name}.log").open("wb") as log:
            process = subprocess.Popen([program, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes.append(process)

    def _is_ready(self) -> bool:
        """Whether it is ready and has the Service ``default/kubernetes``, which comes a moment later."""
        try:
            self._client.request("GET", "/readyz")
            return bool(self._client.request("GET", resources.SERVICES.path("default", "kubernetes")))
        except (OSError, http.client.HTTPException, ApiError):
            return False

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            dead = [str(process.args) for process in self._processes if process.poll() is not None]
            if dead or time.monotonic() > deadline:
                logs = "\n".join(f"{path.name}: {_tail(path)}" for path in sorted(self._home.glob("*.log")))
                raise RuntimeError(f"the API server did not get ready within {_READY_SECONDS:g} s\n{logs}")
            time.sleep(_POLL_SECONDS)
        self._ensure_namespace("default")


def _place(obj: JsonObject) -> tuple[Resource, str]:
    resource = resources.named(obj["kind"])
    return resource, str(obj["metadata"].get("namespace") or "default") if resource.namespaced else ""


def _etcd_flags(home: Path, client: int, peer: int) -> list[str]:
    urls = f"http://127.0.0.1:{client}"
    peers = f"http://127.0.0.1:{peer}"
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
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _tail(path: Path, size: int = 2000) -> str:
    return path.read_bytes()[-size:].decode(errors="replace")
