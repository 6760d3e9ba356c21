"""For tests: small objects, and a raw watch that shows every line as it came."""

from __future__ import annotations

import http.client
import importlib
import select
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import msgspec

from tests.apiserver.client import Client
from tests.apiserver.cluster import Cluster
from tests.apiserver.resources import Resource

JsonObject = dict[str, Any]

# The types that the official client ships say "or None" of every field: tests of what servers send do without.
official: Any = importlib.import_module("kubernetes.client")
official_watch: Any = importlib.import_module("kubernetes.watch")
_config: Any = importlib.import_module("kubernetes.config")

_SECONDS = 10.0


def service(name: str, namespace: str = "default", *, labels: dict[str, str] | None = None, **spec: Any) -> JsonObject:
    """Return a Service with one port, as a user would write it; ``spec`` replaces or adds fields."""
    metadata: JsonObject = {"name": name, "namespace": namespace} | ({"labels": labels} if labels else {})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]} | spec,
    }


def endpoint_slice(name: str, *addresses: str, namespace: str = "default", of: str = "", **fields: Any) -> JsonObject:
    """Return an IPv4 EndpointSlice of the Service ``of`` (default: the slice's own name) with ready endpoints."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": of or name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
        "ports": [{"name": "http", "port": 8080}],
    } | fields


def node(name: str, *addresses: str, **spec: Any) -> JsonObject:
    """Return a Node with these internal addresses."""
    status = {"addresses": [{"type": "InternalIP", "address": address} for address in addresses]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec, "status": status}


def official_connection(kubeconfig: Path) -> Any:
    """Return the official client's ApiClient for a kubeconfig."""
    return _config.new_client_from_config(str(kubeconfig))


def names(listed: JsonObject) -> list[str]:
    """Return the names of the objects of a list."""
    return [item["metadata"]["name"] for item in listed["items"]]


class RawWatch:
    """A watch over plain http.client. Lines are read one by one; nothing is retried, and nothing hidden."""

    def __init__(self, api: Cluster, resource: Resource, namespace: str = "", **query: Any) -> None:
        self._connection = Client(api.access).connect()
        path = f"{resource.path(namespace)}?{urlencode({'watch': 'true'} | query)}"
        self._connection.request("GET", path, headers={"Authorization": f"Bearer {api.access.token}"})
        assert self._connection.sock is not None
        self.sock: socket.socket = self._connection.sock
        self.sock.settimeout(_SECONDS)
        self.response: http.client.HTTPResponse = self._connection.getresponse()

    def line(self) -> bytes:
        """Return the next line; empty at the end of the stream. Raises OSError or HTTPException if it breaks."""
        return self.response.readline()

    def event(self) -> tuple[str, JsonObject]:
        """Return type and object of the next event."""
        decoded = msgspec.json.decode(self.line())
        return decoded["type"], decoded["object"]

    def events(self, count: int) -> list[tuple[str, str]]:
        """Return type and object name of the next events."""
        return [(kind, obj["metadata"].get("name", "")) for kind, obj in (self.event() for _ in range(count))]

    def silent(self, seconds: float = 0.2) -> bool:
        """Whether nothing comes, and the connection stays open, for so long. What was read must be read to its end."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(seconds * 1000)

    def close(self) -> None:
        """Hang up."""
        self.response.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
