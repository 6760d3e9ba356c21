"""Stored versions as the JSON that clients see: list items, whole objects, lists and watch events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tests.apiserver.errors import ApiError
from tests.apiserver.events import from_stored
from tests.apiserver.resources import EVENTS, Resource
from tests.apiserver.store import Version

JsonObject = dict[str, Any]

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


def item(resource: Resource, version: Version) -> bytes:
    """Return an object as lists carry it: without kind and apiVersion, which the list itself implies."""
    if resource is EVENTS:
        return msgspec.json.encode(from_stored(version.data()))
    return version.body


def whole(resource: Resource, version: Version) -> bytes:
    """Return an object with kind and apiVersion."""
    return _typed(resource) + item(resource, version)[1:]


def decoded(resource: Resource, version: Version) -> JsonObject:
    """Return an object with kind and apiVersion as a dict."""
    return dict(msgspec.json.decode(whole(resource, version)))


def listing(resource: Resource, versions: Sequence[Version], metadata: JsonObject) -> bytes:
    """Return a typed list; ``metadata`` has its resourceVersion, and continue and remainingItemCount where due."""
    head = f'{{"kind":"{resource.kind}List","apiVersion":"{resource.api_version}","metadata":'.encode()
    items = b",".join([item(resource, version) for version in versions])
    return b"".join([head, msgspec.json.encode(metadata), b',"items":[', items, b"]}\n"])


def watch_event(kind: str, resource: Resource, version: Version) -> bytes:
    """Return one line of a watch: ADDED, MODIFIED or DELETED, and the object."""
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), whole(resource, version))


def bookmark(resource: Resource, revision: int, *, initial_events_end: bool = False) -> bytes:
    """Return a BOOKMARK line: an empty object of the kind, with only a resourceVersion."""
    metadata: JsonObject = {"resourceVersion": str(revision)}
    if initial_events_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    head = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    return msgspec.json.encode({"type": "BOOKMARK", "object": head | resource.zero}) + b"\n"


def error_event(error: ApiError) -> bytes:
    """Return an ERROR line with the Status in it."""
    return msgspec.json.encode({"type": "ERROR", "object": error.status()}) + b"\n"


def _typed(resource: Resource) -> bytes:
    return f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'.encode()
