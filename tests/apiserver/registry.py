"""The verbs on single objects: create, get, update, patch, delete, with the rules that hold for every kind.

Source: "API Concepts" and "API conventions" (metadata, concurrency control, finalizers, preconditions).
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import uuid
from typing import Any

import msgspec

from tests.apiserver import errors, events, patches
from tests.apiserver.allocator import Allocator, Taken
from tests.apiserver.errors import Cause
from tests.apiserver.resources import EVENTS, Resource
from tests.apiserver.store import Store, Version, key_of
from tests.apiserver.strategies import Strategy, strategies

JsonObject = dict[str, Any]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NO_RULES = Strategy()
_KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


def now() -> str:
    """Return the current second as the API writes timestamps."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Registry:
    """Writes to a store by the rules of the API. Thread-safe. Every method raises ApiError as a client would see it."""

    def __init__(self, store: Store, allocator: Allocator) -> None:
        """Work on ``store``; ``allocator`` has the cluster IPs and node ports."""
        self.store = store
        self._strategies = strategies(allocator)

    def get(self, resource: Resource, namespace: str, name: str) -> Version:
        """Return the current version."""
        version = self.store.get(resource.storage, key_of(namespace, name))
        if version is None:
            raise errors.not_found(resource, name)
        return version

    def create(self, resource: Resource, namespace: str, obj: JsonObject) -> Version:
        """Store a new object (POST)."""
        new = _stored(resource, obj)
        metadata = new["metadata"]
        _set_name(metadata)
        _set_namespace(resource, metadata, namespace)
        name = metadata["name"]
        with self.store.lock:
            if self.store.get(resource.storage, key_of(namespace, name)):
                raise errors.already_exists(resource, name)
            if metadata.pop("resourceVersion", ""):
                raise errors.bad_request("resourceVersion should not be set on objects to be created")
            metadata["uid"] = str(uuid.uuid4())
            metadata["creationTimestamp"] = now()
            metadata.pop("deletionTimestamp", None)
            self._strategy(resource).create(new)
            return self._write(resource, new, None)

    def update(
        self, resource: Resource, namespace: str, name: str, obj: JsonObject, subresource: str = ""
    ) -> tuple[Version, bool]:
        """Replace an object or its status (PUT). Returns the version, and whether the object was created by it."""
        new = _stored(resource, obj)
        new["metadata"].setdefault("name", name)
        if new["metadata"]["name"] != name:
            message = "the name of the object ({}) does not match the name on the URL ({})"
            raise errors.bad_request(message.format(new["metadata"]["name"], name))
        _set_namespace(resource, new["metadata"], namespace)
        with self.store.lock:
            current = self.store.get(resource.storage, key_of(namespace, name))
            if current is None:
                if not resource.create_on_update or subresource:
                    raise errors.not_found(resource, name)
                return self.create(resource, namespace, obj), True
            return self._replace(resource, current, new, subresource), False

    def patch(
        self, resource: Resource, namespace: str, name: str, patch: Any, *, content_type: str, subresource: str = ""
    ) -> tuple[Version, bool]:
        """Change an object or its status (PATCH). Returns the version, and whether an apply created the object."""
        with self.store.lock:
            current = self.store.get(resource.storage, key_of(namespace, name))
            if current is None:
                if content_type != patches.APPLY or subresource:
                    raise errors.not_found(resource, name)
                return self.create(resource, namespace, patch), True
            view = events.from_stored(current.data()) if resource is EVENTS else current.data()
            patched = patches.apply(content_type, view, patch)
            if patched.get("metadata", {}).get("name") != name:
                raise errors.bad_request("the name of the object does not match the name on the URL")
            return self._replace(resource, current, _stored(resource, patched), subresource), False

    def delete(
        self, resource: Resource, namespace: str, name: str, preconditions: JsonObject | None = None
    ) -> tuple[Version, bool]:
        """Delete an object. Returns its last version, and whether it is gone (finalizers may keep it)."""
        with self.store.lock:
            version = self.get(resource, namespace, name)
            data = version.data()
            for field in ("uid", "resourceVersion"):
                wanted = (preconditions or {}).get(field)
                if wanted and wanted != data["metadata"].get(field):
                    raise errors.conflict(resource, name, f"the {field} in the precondition does not match")
            if not data["metadata"].get("finalizers"):
                self._strategy(resource).release(version.key)
                return self.store.remove(resource.storage, version.key), True
            if "deletionTimestamp" not in data["metadata"]:
                data["metadata"] |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
                version = self.store.put(resource.storage, data, self._paths(resource))
            return version, False

    def inject(self, resource: Resource, obj: JsonObject) -> Version:
        """Store an object as it is, without defaults, checks or allocation, as if an older server had let it in."""
        new = _stored(resource, obj)
        metadata = new["metadata"]
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", now())
        return self.store.put(resource.storage, new, self._paths(resource))

    def _replace(self, resource: Resource, current: Version, new: JsonObject, subresource: str) -> Version:
        old, metadata, name = current.data(), new["metadata"], new["metadata"]["name"]
        if metadata.get("resourceVersion") not in (None, "", str(current.revision)):
            raise errors.conflict(resource, name)
        if metadata.get("uid") not in (None, "", old["metadata"].get("uid")):
            uids = f"UID in precondition: {metadata['uid']}, UID in object meta: {old['metadata']['uid']}"
            raise errors.conflict(resource, name, f"Precondition failed: {uids}")
        for field in _KEPT:
            metadata.pop(field, None)
            if field in old["metadata"]:
                metadata[field] = old["metadata"][field]
        metadata["resourceVersion"] = str(current.revision)
        strategy = self._strategy(resource)
        (strategy.status if subresource else strategy.update)(new, old)
        if new == old:
            return current
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            strategy.release(current.key)
            return self.store.remove(resource.storage, current.key)
        return self._write(resource, new, old)

    def _write(self, resource: Resource, new: JsonObject, old: JsonObject | None) -> Version:
        strategy = self._strategy(resource)
        metadata = new["metadata"]
        causes = [*_check_name(metadata["name"]), *strategy.check(new, old)]
        try:
            if not causes:
                strategy.claim(key_of(metadata.get("namespace", ""), metadata["name"]), new)
        except Taken as taken:
            causes.append(taken.cause)
        if causes:
            raise errors.invalid(resource.kind, metadata["name"], causes, group=resource.group)
        return self.store.put(resource.storage, new, self._paths(resource))

    def _strategy(self, resource: Resource) -> Strategy:
        return self._strategies.get(resource.group_resource, _NO_RULES)

    @staticmethod
    def _paths(resource: Resource) -> list[str]:
        return list(resource.fields.values())


def _stored(resource: Resource, obj: JsonObject) -> JsonObject:
    """Return the object without kind and apiVersion, as a copy that the caller owns."""
    kind, api_version = obj.get("kind", resource.kind), obj.get("apiVersion", resource.api_version)
    if (kind, api_version) != (resource.kind, resource.api_version):
        raise errors.bad_request(f'{kind} in version "{api_version}" cannot be handled as a {resource.kind}')
    data = msgspec.json.decode(msgspec.json.encode(obj), type=JsonObject)
    data.pop("kind", None)
    data.pop("apiVersion", None)
    data["metadata"] = data.get("metadata") or {}
    if resource.kind == EVENTS.kind:
        events.read_times(data)
    return events.to_stored(data) if resource is EVENTS else data


def _set_name(metadata: JsonObject) -> None:
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
    metadata.setdefault("name", "")


def _set_namespace(resource: Resource, metadata: JsonObject, namespace: str) -> None:
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif metadata.setdefault("namespace", namespace) != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _check_name(name: str) -> list[Cause]:
    if not name:
        problem = "Required value: name or generateName is required"
        return [Cause(field="metadata.name", problem=problem, reason="FieldValueRequired")]
    if not _NAME.fullmatch(name):
        problem = f'Invalid value: "{name}": a lowercase RFC 1123 subdomain is required'
        return [Cause(field="metadata.name", problem=problem)]
    return []
