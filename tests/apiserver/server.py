"""The test API server: starts, stops, restarts, and is changed by tests through the calls of :class:`Cluster`."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from tests.apiserver import patches, pki, presentation
from tests.apiserver.allocator import Allocator
from tests.apiserver.cluster import Cluster, resource_named, resource_of
from tests.apiserver.core import Core
from tests.apiserver.faults import BreakKind, Faults
from tests.apiserver.handler import Handler
from tests.apiserver.journal import Journal
from tests.apiserver.kubeconfig import Access
from tests.apiserver.listener import Listener
from tests.apiserver.registry import Registry
from tests.apiserver.resources import Resource
from tests.apiserver.store import Store
from tests.apiserver.stream import Pace
from tests.apiserver.wire import Ending

JsonObject = dict[str, Any]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a server.

    ``host`` is the address to listen at; ``sans`` are more addresses or names for its certificate. ``service_cidrs``
    has one range, or one of each family. Seconds: ``bookmark_interval`` between bookmarks, ``watch_timeout`` for
    watches that set none, ``patience`` to wait for a resourceVersion in the future. ``history`` is how many changes
    of each resource are kept at least. ``kubernetes_service`` makes the Service that every cluster has.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls: bool = True
    sans: Sequence[str] = ()
    token: str = ""
    service_cidrs: Sequence[str] = ("10.96.0.0/12", "fd00:10:96::/112")
    bookmark_interval: float = 60.0
    watch_timeout: float = 3600.0
    patience: float = 3.0
    history: int = 50_000
    kubernetes_service: bool = True


class ApiServer(Cluster):
    """A running server; closed by :meth:`close` or the end of a ``with`` block."""

    def __init__(self, settings: Settings | None = None, **overrides: Any) -> None:
        """Start it. Keyword arguments are fields of :class:`Settings`. Raises OSError if the address is taken."""
        settings = msgspec.structs.replace(settings or Settings(), **overrides)
        allocator = Allocator(settings.service_cidrs)
        pace = Pace(bookmark_interval=settings.bookmark_interval, timeout=settings.watch_timeout)
        registry = Registry(Store(history=settings.history), allocator)
        self._core = Core(registry, Faults(self), pace=pace, patience=settings.patience)
        certificates = pki.issue((settings.host, *settings.sans)) if settings.tls else None
        self._context = pki.server_context(certificates) if certificates else None
        self._addresses = (settings.host, *settings.sans)
        self._timers: list[threading.Timer] = []
        self._listener = Listener(settings.host, settings.port, self._serve, self._context)
        scheme, host = "https" if certificates else "http", settings.host
        url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{self._listener.port}"
        self.access = Access(url=url, pki=certificates, token=settings.token or secrets.token_urlsafe(24))
        self._core.tokens.add(self.access.token)
        if settings.kubernetes_service:
            self._create_kubernetes_service(allocator.first_address(), host)
        self._listener.open()

    @property
    def faults(self) -> Faults:
        return self._core.faults

    @property
    def requests(self) -> Journal:
        return self._core.journal

    @property
    def revision(self) -> int:
        """The revision of the last write to anything."""
        return self._core.store.revision

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._core.stopping.set()
        self._listener.close()

    # Objects.

    def get(self, kind: str, namespace: str, name: str) -> JsonObject:
        resource = resource_named(kind)
        return presentation.decoded(resource, self._core.registry.get(resource, namespace, name))

    def objects(self, kind: str, namespace: str = "") -> list[JsonObject]:
        resource = resource_named(kind)
        versions = self._core.store.snapshot(resource.storage).versions
        return [presentation.decoded(resource, v) for v in versions if namespace in ("", v.namespace)]

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self._core.registry.delete(resource_named(kind), namespace, name)

    def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Any,
        *,
        content_type: str = patches.MERGE,
        subresource: str = "",
    ) -> JsonObject:
        resource = resource_named(kind)
        version, _ = self._core.registry.patch(
            resource, namespace, name, patch, content_type=content_type, subresource=subresource
        )
        return presentation.decoded(resource, version)

    def inject(self, obj: JsonObject) -> None:
        """Store an object as it is: no defaults, no checks; for objects that a real server would not let in."""
        self._core.registry.inject(resource_of(obj), obj)

    def _post(self, resource: Resource, obj: JsonObject) -> JsonObject:
        version = self._core.registry.create(resource, _namespace(resource, obj), obj)
        return presentation.decoded(resource, version)

    def _put(self, resource: Resource, obj: JsonObject, subresource: str = "") -> JsonObject:
        name = obj["metadata"]["name"]
        version, _ = self._core.registry.update(resource, _namespace(resource, obj), name, obj, subresource)
        return presentation.decoded(resource, version)

    def _create_kubernetes_service(self, address: str, host: str) -> None:
        labels = {"component": "apiserver", "provider": "kubernetes"}
        metadata = {"name": "kubernetes", "namespace": "default", "labels": labels}
        ports = [{"name": "https", "port": 443, "targetPort": self._listener.port}]
        spec = {"clusterIP": address, "ports": ports}
        self.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        address_type = _endpoint_family(host)
        if address_type is None:
            return
        endpoint_slice = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata | {"labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": address_type,
            "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
            "ports": [{"name": "https", "port": self._listener.port}],
        }
        self.create(endpoint_slice)

    # Watches and tokens.

    def wait_watchers(self, count: int, resource: str = "", *, timeout: float = 10.0) -> None:
        """Wait until at least ``count`` watches (of a plural name) are up to date; 0: until there are none.

        Raises TimeoutError after ``timeout`` seconds.
        """
        if not self._core.watchers.wait(count, resource, timeout=timeout):
            found = self._core.watchers.count(resource)
            raise TimeoutError(f"{found} watches of {resource or 'anything'} after {timeout:g} s, wanted {count}")

    def watcher_count(self, resource: str = "") -> int:
        """Return how many watches are up to date."""
        return self._core.watchers.count(resource)

    def connection_count(self) -> int:
        """Return how many connections clients have."""
        return self._listener.connection_count()

    def rotate_token(self, token: str = "", *, keep_old: bool = False) -> str:
        """Make another bearer token valid, and the old ones invalid; established watches go on. Returns the token."""
        token = token or secrets.token_urlsafe(24)
        if not keep_old:
            self._core.tokens.clear()
        self._core.tokens.add(token)
        self.access = msgspec.structs.replace(self.access, token=token)
        return token

    # What faults are carried out with.

    def break_watches(self, how: BreakKind, *, resource: str = "") -> int:
        return self._core.watchers.break_all(how, resource)

    def send_bookmarks(self) -> None:
        self._core.watchers.send_bookmarks()

    def compact(self) -> int:
        return self._core.store.compact()

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
        store = self._core.store
        store.rebase(store.revision if revision is None else revision)
        if down:
            threading.Event().wait(down)
        self._listener.open()

    def present_certificate(self, *, trusted: bool) -> None:
        if self._context is not None:
            stranger = pki.server_context(pki.issue(self._addresses, "unknown-ca")) if not trusted else None
            self._listener.context = stranger or self._context

    def _drop_connections(self) -> None:
        self._core.stopping.set()
        self._listener.drop_connections()
        self._core.stopping.clear()

    def _serve(self, sock: socket.socket, address: tuple[str, int]) -> Ending:
        handler = Handler(sock, address, self._core)
        if handler.ending is Ending.RESET:
            handler.wire.reset_on_close()
        return handler.ending


def _namespace(resource: Resource, obj: JsonObject) -> str:
    return str(obj["metadata"].get("namespace") or "default") if resource.namespaced else ""


def _endpoint_family(host: str) -> str | None:
    """Return the address type of an endpoint at ``host``; None if a slice could not hold it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return None if address.is_loopback or address.is_unspecified else f"IPv{address.version}"
