"""Small objects for tests."""

from typing import Any

JsonObject = dict[str, Any]


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


def pod(name: str, *addresses: str, namespace: str = "default", phase: str = "Running", **spec: Any) -> JsonObject:
    """Return a Pod with these addresses."""
    status = {"phase": phase, "podIP": addresses[0], "podIPs": [{"ip": address} for address in addresses]}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
