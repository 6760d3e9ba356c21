"""The test API server: starts, stops, restarts, and is changed by tests."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
import socket
import threading
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.apiserver import kubeconfig, pki, resources
from tests.apiserver.errors import ApiError, not_found
from tests.apiserver.faults import BreakKind, Faults
from tests.apiserver.handler import Handler
from tests.apiserver.journal import Journal
from tests.apiserver.kubeconfig import Access, Auth
from tests.apiserver.listener import Listener
from tests.apiserver.objects import Defaults, JsonObject, merged, read_objects
from tests.apiserver.resources import Resource
from tests.apiserver.store import Store, Version, key_of
from tests.apiserver.watch import Pace, Watchers, whole
from tests.apiserver.wire import Ending

_SERVED = {resource.kind for resource in resources.RESOURCES}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a server.

    ``host`` is the address to listen at. ``pace`` has the times of watches; ``patience`` is how many seconds to wait
    for a resourceVersion in the future. ``kubernetes_service`` makes the Service that every cluster has.
    """

    host: str = "127.0.0.1"
    pace: Pace = Pace()
    patience: float = 3.0
    kubernetes_service: bool = True


class ApiServer:
    """A running server; closed by :meth:`close` or the end of a ``with`` block. Failures raise ApiError."""

    def __init__(self, **settings: Any) -> None:
        """Start it. Keyword arguments are fields of :class:`Settings`. Raises OSError if the address is taken."""
        self.settings = Settings(**settings)
        self.store = Store()
        self.faults = Faults(self)
        self.requests = Journal()
        self.watchers = Watchers()
        self._defaults = Defaults()
        self._stopping = threading.Event()
        self._timers: list[threading.Timer] = []
        host = self.settings.host
        certificates = pki.issue((host,))
        self._context = pki.server_context(certificates)
        self._listener = Listener(host, 0, self._serve, self._context)
        url = f"https://{f'[{host}]' if ':' in host else host}:{self._listener.port}"
        self.access = Access(url=url, pki=certificates, token=secrets.token_urlsafe(24))
        self.tokens = {self.access.token}
        if self.settings.kubernetes_service:
            self._create_kubernetes_service()
        self._listener.open()

    @property
    def url(self) -> str:
        """The address of the server."""
        return self.access.url

    def close(self) -> None:
        """Stop the server, and leave nothing behind."""
        for timer in self._timers:
            timer.cancel()
        self._stopping.set()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Objects: dicts with kind and apiVersion; ``namespace`` is empty for cluster-scoped kinds.

    def get(self, kind: str, namespace: str, name: str) -> JsonObject:
        """Return an object."""
        return _decoded(resources.named(kind), self._found(kind, namespace, name))

    def objects(self, kind: str) -> list[JsonObject]:
        """Return all objects of a kind."""
        resource = resources.named(kind)
        return [_decoded(resource, each) for each in self.store.snapshot(resource.plural).versions]

    def create(self, obj: JsonObject) -> JsonObject:
        """Store a new object with what a real server fills in; 409 if there is one of this name."""
        resource, obj = _own(obj)
        metadata = obj["metadata"]
        if self.store.get(resource.plural, key_of(metadata.get("namespace", ""), metadata["name"])):
            raise ApiError(409, "AlreadyExists", f'{resource.plural} "{metadata["name"]}" already exists')
        return self._write(resource, obj)

    def replace(self, obj: JsonObject) -> JsonObject:
        """Store another version of an object that is there."""
        resource, obj = _own(obj)
        metadata = obj["metadata"]
        old = _decoded(resource, self._found(resource.kind, metadata.get("namespace", ""), metadata["name"]))
        kept = ("clusterIP", "clusterIPs") if resource is resources.SERVICES else ()
        for key in kept:
            obj["spec"].setdefault(key, old["spec"][key])
        metadata |= {key: old["metadata"][key] for key in ("uid", "creationTimestamp", "resourceVersion")}
        if resource.typed | obj == old:
            return old
        return self._write(resource, obj)

    def apply(self, obj: JsonObject) -> JsonObject:
        """Create an object, or replace the one of its name."""
        try:
            return self.create(obj)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        return self.replace(obj)

    def load(self, source: Path | Iterable[JsonObject]) -> None:
        """Apply objects, or those of a YAML or JSON file or folder; kinds that are not served are left out."""
        for obj in read_objects(source) if isinstance(source, Path) else source:
            if obj["kind"] in _SERVED:
                self.apply(obj)

    def patch(self, kind: str, namespace: str, name: str, patch: JsonObject) -> JsonObject:
        """Change an object by a JSON merge patch."""
        resource = resources.named(kind)
        with self.store.lock:
            obj = merged(self._found(kind, namespace, name).data(), patch)
            return _decoded(resource, self.store.put(resource.plural, obj))

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object."""
        with self.store.lock:
            self.store.remove(resources.named(kind).plural, self._found(kind, namespace, name).key)

    def inject(self, obj: JsonObject) -> None:
        """Store an object as it is, without defaults; for objects that a real server would not let in."""
        resource, obj = _own(obj)
        self._stamp(obj)
        self.store.put(resource.plural, obj)

    def _found(self, kind: str, namespace: str, name: str) -> Version:
        version = self.store.get(resources.named(kind).plural, key_of(namespace, name))
        if version is None:
            raise not_found(f'{resources.named(kind).plural} "{name}"')
        return version

    def _write(self, resource: Resource, obj: JsonObject) -> JsonObject:
        with self.store.lock:
            self._stamp(obj)
            self._defaults.fill_in(resource.kind, obj)
            return _decoded(resource, self.store.put(resource.plural, obj))

    @staticmethod
    def _stamp(obj: JsonObject) -> None:
        obj["metadata"].setdefault("uid", str(uuid.uuid4()))
        obj["metadata"].setdefault("creationTimestamp", dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    def _create_kubernetes_service(self) -> None:
        host, port = ipaddress.ip_address(self.settings.host), self._listener.port
        metadata: JsonObject = {"name": "kubernetes", "namespace": "default"}
        ports = [{"name": "https", "port": 443, "targetPort": port}]
        self.create(
            resources.SERVICES.typed | {"metadata": metadata, "spec": {"clusterIP": "10.96.0.1", "ports": ports}}
        )
        if host.is_loopback:
            return
        labels = {"kubernetes.io/service-name": "kubernetes"}
        fields = {
            "addressType": f"IPv{host.version}",
            "endpoints": [{"addresses": [str(host)], "conditions": {"ready": True}}],
            "ports": [{"name": "https", "port": port}],
        }
        self.create(resources.ENDPOINT_SLICES.typed | {"metadata": metadata | {"labels": labels}} | fields)

    def kubeconfig(self, path: Path, *, auth: Auth = "token") -> Path:
        """Write a kubeconfig; return ``path``."""
        return kubeconfig.write(path, self.access, auth)

    def service_account(self, folder: Path) -> Path:
        """Write what a pod finds in its service account folder; return ``folder``."""
        return kubeconfig.write_service_account(folder, self.access)

    def wait_watchers(self, count: int, resource: str = "", *, timeout: float = 10.0) -> None:
        """Wait until at least ``count`` watches (of a plural name) are up to date; 0: until there are none.

        Raises TimeoutError after ``timeout`` seconds.
        """
        if not self.watchers.wait(count, resource, timeout=timeout):
            found = self.watchers.count(resource)
            raise TimeoutError(f"{found} watches of {resource or 'anything'} after {timeout:g} s, wanted {count}")

    def watcher_count(self, resource: str = "") -> int:
        """Return how many watches are up to date."""
        return self.watchers.count(resource)

    def rotate_token(self, token: str = "", *, keep_old: bool = False) -> str:
        """Make another bearer token valid, and the old ones invalid; established watches go on. Returns the token."""
        token = token or secrets.token_urlsafe(24)
        if not keep_old:
            self.tokens.clear()
        self.tokens.add(token)
        self.access = msgspec.structs.replace(self.access, token=token)
        return token

    # What faults are carried out with.

    def break_watches(self, how: BreakKind, *, resource: str = "") -> int:
        return self.watchers.break_all(how, resource)

    def compact(self) -> int:
        return self.store.compact()

    def refuse(self, seconds: float | None = None, *, drop: bool = True) -> None:
        self._listener.refuse()
        if drop:
            self._drop_connections()
        if seconds is not None:
            timer = threading.Timer(seconds, self._listener.open)
            timer.daemon = True
            self._timers.append(timer)
            timer.start()

    def accept(self) -> None:
        self._listener.open()

    def restart(self, *, down: float = 0.0, revision: int | None = None) -> None:
        self._listener.refuse()
        self._drop_connections()
        store = self.store
        store.rebase(store.revision if revision is None else revision)
        if down:
            threading.Event().wait(down)
        self._listener.open()

    def present_certificate(self, *, trusted: bool) -> None:
        stranger = None if trusted else pki.server_context(pki.issue((self.settings.host,), "unknown-ca"))
        self._listener.context = stranger or self._context

    def _drop_connections(self) -> None:
        self._stopping.set()
        self._listener.drop_connections()
        self._stopping.clear()

    def _serve(self, sock: socket.socket, address: tuple[str, int]) -> Ending:
        handler = Handler(sock, address, self, self._stopping)
        if handler.ending is Ending.RESET:
            handler.wire.reset_on_close()
        return handler.ending


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
