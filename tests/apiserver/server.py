"""The test API server: starts, stops, and is changed by tests."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import msgspec

from tests.apiserver import kubeconfig, pki, resources
from tests.apiserver.faults import Faults
from tests.apiserver.handler import Handler
from tests.apiserver.journal import Journal
from tests.apiserver.kubeconfig import Access, Auth
from tests.apiserver.listener import Listener
from tests.apiserver.objects import Defaults, JsonObject, read_objects
from tests.apiserver.resources import Resource
from tests.apiserver.store import ApiError, Store, Version, key_of
from tests.apiserver.watch import Watchers, whole
from tests.apiserver.wire import Ending

_SERVED = {resource.kind for resource in resources.RESOURCES}


class ApiServer:
    """A running server; closed by :meth:`close` or the end of a ``with`` block. Failures raise ApiError.

    ``patience`` is how many seconds it waits for a resourceVersion in the future. ``kubernetes_service`` makes the
    Service that every cluster has.
    """

    def __init__(self, host: str = "127.0.0.1", *, patience: float = 3.0, kubernetes_service: bool = True) -> None:
        self.patience = patience
        self.store = Store()
        self.faults = Faults(self)
        self.requests = Journal()
        self.watchers = Watchers()
        self._defaults = Defaults()
        self._stopping = threading.Event()
        certificates = pki.issue(pki.names_of(host))
        self.listener = Listener(host, self._serve, pki.server_context(certificates))
        url = f"https://{f'[{host}]' if ':' in host else host}:{self.listener.port}"
        self.access = Access(url=url, pki=certificates, token=secrets.token_urlsafe(24))
        if kubernetes_service:
            self._create_kubernetes_service(host)
        self.listener.open()

    @property
    def url(self) -> str:
        return self.access.url

    def close(self) -> None:
        self._stop_watches()
        self.listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Objects: dicts with kind and apiVersion; ``namespace`` is empty for cluster-scoped kinds.

    def objects(self, kind: str) -> list[JsonObject]:
        resource = resources.named(kind)
        return [_decoded(resource, each) for each in self.store.versions(resource.plural)[1]]

    def create(self, obj: JsonObject) -> JsonObject:
        """Store a new object with what a real server fills in; 409 if there is one of this name."""
        resource, obj = _own(obj)
        if self._present(resource, obj):
            raise ApiError(409, "AlreadyExists", f'{resource.plural} "{obj["metadata"]["name"]}" already exists')
        return self._write(resource, obj)

    def replace(self, obj: JsonObject) -> JsonObject:
        """Store another version of an object that is there, or do nothing if it is the same. KeyError if absent."""
        resource, obj = _own(obj)
        found = self._present(resource, obj)
        if found is None:
            raise KeyError(obj["metadata"]["name"])
        old = found.data()
        for key in ("clusterIP", "clusterIPs") if resource is resources.SERVICES else ():
            obj["spec"].setdefault(key, old["spec"][key])
        obj["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        return _decoded(resource, found) if obj == old else self._write(resource, obj)

    def apply(self, obj: JsonObject) -> JsonObject:
        return self.replace(obj) if self._present(*_own(obj)) else self.create(obj)

    def load(self, source: Path | Iterable[JsonObject]) -> None:
        """Apply objects, or those of a YAML or JSON file or folder; kinds that are not served are left out."""
        for obj in read_objects(source) if isinstance(source, Path) else source:
            if obj["kind"] in _SERVED:
                self.apply(obj)

    def patch(self, kind: str, namespace: str, name: str, patch: JsonObject) -> None:
        """Replace fields in parts of an object: ``{"spec": {"podCIDR": ...}}``; None takes a field away."""
        table = resources.named(kind).plural
        with self.store.changed:
            found = self.store.get(table, key_of(namespace, name))
            assert found is not None, name
            obj = found.data()
            for part, fields in patch.items():
                merged = (obj.get(part) or {}) | fields
                obj[part] = {key: value for key, value in merged.items() if value is not None}
            self.store.put(table, obj)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self.store.remove(resources.named(kind).plural, key_of(namespace, name))

    def inject(self, obj: JsonObject) -> None:
        """Store an object as it is, without defaults; for objects that a real server would not let in."""
        resource, obj = _own(obj)
        self.store.put(resource.plural, obj)

    def _present(self, resource: Resource, obj: JsonObject) -> Version | None:
        metadata = obj["metadata"]
        return self.store.get(resource.plural, key_of(metadata.get("namespace", ""), metadata["name"]))

    def _write(self, resource: Resource, obj: JsonObject) -> JsonObject:
        with self.store.changed:
            self._defaults.fill_in(resource.kind, obj)
            return _decoded(resource, self.store.put(resource.plural, obj))

    def _create_kubernetes_service(self, host: str) -> None:
        metadata: JsonObject = {"name": "kubernetes", "namespace": "default"}
        spec = {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]}
        self.create(resources.SERVICES.typed | {"metadata": metadata, "spec": spec})
        address = ipaddress.ip_address(host)
        if not address.is_loopback:
            labels = {"kubernetes.io/service-name": "kubernetes"}
            fields = {
                "addressType": f"IPv{address.version}",
                "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
                "ports": [{"name": "https", "port": self.listener.port}],
            }
            self.create(resources.ENDPOINT_SLICES.typed | {"metadata": metadata | {"labels": labels}} | fields)

    def kubeconfig(self, path: Path, *, auth: Auth = "token", cluster: JsonObject | None = None) -> Path:
        return kubeconfig.write(path, self.access, auth, cluster)

    def service_account(self, folder: Path) -> Path:
        """Write what a pod finds in its service account folder; return ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(self.access.token)
        (folder / "ca.crt").write_bytes(self.access.pki.authority)
        return folder

    def rotate_token(self) -> str:
        """Make another bearer token the valid one; established watches go on. Returns it."""
        self.access = msgspec.structs.replace(self.access, token=secrets.token_urlsafe(24))
        return self.access.token

    def wait_watchers(self, count: int, resource: str = "", *, timeout: float = 10.0) -> None:
        """Wait until at least ``count`` watches (of a plural name) are up to date. Raises TimeoutError."""
        if not self.watchers.wait(count, resource, timeout):
            found = self.watchers.count(resource)
            raise TimeoutError(f"{found} watches of {resource or 'anything'} after {timeout:g} s, wanted {count}")

    def drop_connections(self) -> None:
        """Close every connection, and have done with all that went on there."""
        self._stop_watches()
        self.listener.drop_connections()
        self._stopping.clear()

    def _stop_watches(self) -> None:
        with self.store.changed:
            self._stopping.set()
            self.store.changed.notify_all()

    def _serve(self, sock: socket.socket, address: tuple[str, int]) -> Ending:
        return Handler(sock, address, self, self._stopping).ending


def _own(obj: JsonObject) -> tuple[Resource, JsonObject]:
    """The resource of an object, and a copy without kind and apiVersion."""
    data = msgspec.json.decode(msgspec.json.encode(obj), type=JsonObject)
    resource = resources.named(data.pop("kind"))
    data.pop("apiVersion", None)
    if resource.namespaced:
        data["metadata"].setdefault("namespace", "default")
    return resource, data


def _decoded(resource: Resource, version: Version) -> JsonObject:
    return dict(msgspec.json.decode(whole(resource, version)))
