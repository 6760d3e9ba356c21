"""The objects and their history: a small multi-version store with one revision counter, as etcd has.

Every write takes the next revision, whatever the resource. History before ``compacted`` is lost, and asking for it
raises the API's 410. A version keeps the object only as JSON, together with the labels and fields that selectors look
at: no caller can change a stored object.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import defaultdict
from typing import Any

import msgspec

JsonObject = dict[str, Any]

_FIELDS = (("metadata", "name"), ("metadata", "namespace"), ("spec", "clusterIP"), ("status", "podIP"))
"""What field selectors may ask for."""


class ApiError(Exception):
    """A failed request: what the server answers, and what the in-process API raises. ``retry_after`` is in seconds."""

    def __init__(self, code: int, reason: str, message: str, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        said = {"status": "Failure", "message": message, "reason": reason, "code": code}
        self.status: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}} | said

    def body(self) -> bytes:
        return msgspec.json.encode(self.status) + b"\n"


def expired(wanted: int, oldest: int) -> ApiError:
    """410: the history that the request needs is gone; the client lists anew."""
    return ApiError(410, "Expired", f"too old resource version: {wanted} ({oldest})")


def too_new(wanted: int, current: int) -> ApiError:
    """504 for a list of a resource version that the server has not reached."""
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, retry_after=1)


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One object as of one revision. ``body`` is its JSON without ``kind`` and ``apiVersion``, as lists carry it."""

    key: str
    namespace: str
    revision: int
    body: bytes
    labels: dict[str, str]
    fields: dict[str, str]

    def data(self) -> JsonObject:
        return dict(msgspec.json.decode(self.body))

    def at(self, revision: int) -> Version:
        """Return the same object stamped with another resourceVersion."""
        data = self.data()
        data["metadata"]["resourceVersion"] = str(revision)
        return msgspec.structs.replace(self, revision=revision, body=msgspec.json.encode(data))


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One write: ``current`` is None for a deletion, ``previous`` for a creation."""

    table: str
    revision: int
    previous: Version | None
    current: Version | None


def key_of(namespace: str, name: str) -> str:
    """Return the key of an object in its table; lists are in the order of these keys, as in etcd."""
    return f"{namespace}/{name}" if namespace else name


class Store:
    """One table per resource. Thread-safe; ``changed`` may be held around a read and the write that depends on it."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.revision = 1
        self.pages: dict[str, tuple[int, list[Version]]] = {}
        """What is left of the lists that clients have begun to read in pages, by continue token, with the revision."""
        self._compacted = 0
        self._tables: dict[str, dict[str, Version]] = defaultdict(dict)
        self._log: list[Change] = []

    def get(self, table: str, key: str) -> Version | None:
        with self.changed:
            return self._tables[table].get(key)

    def versions(self, table: str) -> tuple[int, list[Version]]:
        with self.changed:
            return self.revision, [version for _, version in sorted(self._tables[table].items())]

    def put(self, table: str, data: JsonObject) -> Version:
        """Write an object at the next revision, which becomes its resourceVersion; stamps ``data``."""
        metadata = data["metadata"]
        namespace = metadata.get("namespace", "")
        with self.changed:
            metadata["resourceVersion"] = str(self.revision + 1)
            version = Version(
                key=key_of(namespace, metadata["name"]),
                namespace=namespace,
                revision=self.revision + 1,
                body=msgspec.json.encode(data),
                labels=dict(metadata.get("labels") or {}),
                fields={f"{part}.{name}": str((data.get(part) or {}).get(name) or "") for part, name in _FIELDS},
            )
            previous = self._tables[table].get(version.key)
            self._tables[table][version.key] = version
            self._commit(table, previous, version)
            return version

    def remove(self, table: str, key: str) -> None:
        with self.changed:
            self._commit(table, self._tables[table].pop(key), None)

    def _commit(self, table: str, previous: Version | None, current: Version | None) -> None:
        self.revision += 1
        self._log.append(Change(table=table, revision=self.revision, previous=previous, current=current))
        self.changed.notify_all()

    def changes(self, table: str, after: int, until: int) -> list[Change]:
        with self.changed:
            first, last = (bisect_right(self._log, revision, key=_revision_of) for revision in (after, until))
            return [change for change in self._log[first:last] if change.table == table]

    def check_history(self, after: int) -> None:
        """Raise a 410 if changes later than ``after`` are lost to who has not followed them so far."""
        if after < self._compacted:
            raise expired(after, self._compacted)

    def compact(self) -> None:
        """Lose all history, for clients that are up to date, too; as with a real server, open watches go on."""
        with self.changed:
            self.revision += 1
            self._compacted = self.revision
            self.pages.clear()
            self.changed.notify_all()

    def rebase(self, revision: int) -> None:
        """Lose all history and go on from another revision; from a lower one, as after the restore of a backup, objects
        with a higher resourceVersion are given one that fits. Nobody may be watching."""
        with self.changed:
            for table in self._tables.values():
                for key, version in table.items():
                    table[key] = version if version.revision <= revision else version.at(revision)
            self._log.clear()
            self.pages.clear()
            self.revision = self._compacted = revision
            self.changed.notify_all()

    def wait_for(self, revision: int, patience: float) -> None:
        """Wait for a revision; raises a 504 if it is not reached within ``patience`` seconds."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.revision >= revision, patience):
                raise too_new(revision, self.revision)


def _revision_of(change: Change) -> int:
    return change.revision
