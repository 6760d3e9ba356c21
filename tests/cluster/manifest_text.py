"""Manifests for tests: objects as Kubernetes' users write them, with some fields set or taken away."""

import json
from collections.abc import Iterable
from typing import Any

import yaml

from tests.apiserver import testing

GONE = object()
"""A value that stands for a field that is not there."""


def service(name: str = "web", namespace: str | None = "ns", **fields: Any) -> dict[str, Any]:
    """A Service of type ClusterIP. Fields of spec are given by name, others by path: `metadata__labels={...}`."""
    base = testing.service(name, clusterIP="10.96.0.1") | {"metadata": {"name": name, "namespace": namespace}}
    return changed(base, {key if "__" in key else f"spec__{key}": value for key, value in fields.items()})


def endpoint_slice(name: str = "web-1", namespace: str = "ns", **fields: Any) -> dict[str, Any]:
    """An IPv4 slice of the Service web with one endpoint. Fields are given by path."""
    return changed(testing.endpoint_slice(name, "10.244.0.1", namespace=namespace, of="web"), fields)


def node(name: str = "n1", **fields: Any) -> dict[str, Any]:
    """A Node with one address. Fields are given by path."""
    return changed(testing.node(name, "172.31.1.2"), fields)


def changed(obj: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """`obj` with fields replaced, or taken away where the value is GONE."""
    for path, value in fields.items():
        *parents, last = path.split("__")
        place = obj
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
        if value is GONE:
            del place[last]
    return obj


def as_yaml(*objects: Any) -> str:
    """Documents of one stream."""
    return yaml.safe_dump_all(objects, sort_keys=False)


def as_json(obj: Any) -> str:
    """One JSON document."""
    return json.dumps(obj, indent=2)


def list_of(objects: Iterable[Any], **fields: Any) -> dict[str, Any]:
    """A `kind: List`, unless the fields say otherwise."""
    return {"apiVersion": "v1", "kind": "List", "items": list(objects), **fields}
