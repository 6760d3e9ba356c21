"""The discovery documents: /version, /api, /apis and the resource lists, for clients that ask before they use."""

from __future__ import annotations

from typing import Any

from tests.apiserver.resources import RESOURCES, Resource

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.2",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.25.0",
    "compiler": "gc",
    "platform": "linux/amd64",
}

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def document(path: str) -> dict[str, Any] | None:
    """Return the discovery document at ``path``, or None if there is none."""
    if path == "/version":
        return dict(VERSION)
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        groups = sorted({resource.group for resource in RESOURCES if resource.group})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in groups]}
    served = [resource for resource in RESOURCES if resource.base_path == path]
    if served:
        entries = [entry for resource in served for entry in _entries(resource)]
        version = {"groupVersion": served[0].api_version, "resources": entries}
        return {"kind": "APIResourceList", "apiVersion": "v1", **version}
    group = path.removeprefix("/apis/")
    if any(group and resource.group == group for resource in RESOURCES):
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
    return None


def _group(group: str) -> dict[str, Any]:
    version = {"groupVersion": f"{group}/v1", "version": "v1"}
    return {"name": group, "versions": [version], "preferredVersion": version}


def _entries(resource: Resource) -> list[dict[str, Any]]:
    entry = {"name": resource.plural, "singularName": resource.kind.lower(), "namespaced": resource.namespaced}
    entries = [entry | {"kind": resource.kind, "verbs": _VERBS}]
    if resource.status:
        status = {"name": f"{resource.plural}/status", "singularName": ""}
        entries.append(entry | status | {"kind": resource.kind, "verbs": ["get", "patch", "update"]})
    return entries
