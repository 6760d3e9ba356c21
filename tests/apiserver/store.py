"""The objects and their history: a small multi-version store with one revision counter, as etcd has.

Every write takes the next revision, whatever the resource. Each table (one per resource) keeps the current version of
its objects and a log of changes; a snapshot of an earlier revision is the current state with later changes undone.
History before ``compacted`` is lost, and asking for it raises the API's 410.

A version keeps the object only as JSON, together with the labels and fields that selectors look at: ten thousand
objects with history stay small, and no caller can change a stored object.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from tests.apiserver.errors import expired

JsonObject = dict[str, Any]
Wake = Callable[[], None]

_FIELDS = ("metadata.name", "metadata.namespace", "spec.clusterIP")
"""What field selectors may ask for."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One object as of one revision. ``body`` is its JSON without ``kind`` and ``apiVersion``, as lists carry it."""

    key: str
    namespace: str
    revision: int
    body: bytes
    labels: dict[str, str]
    fields: dict[str, str]

    def data(self) -> JsonObject:
        """Return a fresh copy of the object."""
        return cast("JsonObject", msgspec.json.decode(self.body))

    def at(self, revision: int) -> Version:
        """Return the same object stamped with another resourceVersion."""
        data = self.data()
        data["metadata"]["resourceVersion"] = str(revision)
        return msgspec.structs.replace(self, revision=revision, body=msgspec.json.encode(data))


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One write: ``current`` is None for a deletion, ``previous`` for a creation."""

    revision: int
    previous: Version | None
    current: Version | None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All objects of a table, in key order, as of one revision."""

    revision: int
    versions: list[Version]


class _Table:
    def __init__(self) -> None:
        self.items: dict[str, Version] = {}
        self.log: list[Change] = []
        self.forgotten = 0
        self.listeners: set[Wake] = set()


def key_of(namespace: str, name: str) -> str:
    """Return the key of an object in its table; lists are in the order of these keys, as in etcd."""
    return f"{namespace}/{name}" if namespace else name


class Store:
    """The tables. Thread-safe; ``lock`` may be held around a read and the write that depends on it."""

    def __init__(self, *, revision: int = 1, history: int = 50_000) -> None:
        """Start empty at ``revision``, keeping at least ``history`` changes of each table."""
        self.lock = threading.RLock()
        self.revision = revision
        self.compacted = 0
        self._history = history
        self._tables: dict[str, _Table] = {}
        self._advanced = threading.Condition(self.lock)

    def _table(self, table: str) -> _Table:
        return self._tables.setdefault(table, _Table())

    def get(self, table: str, key: str) -> Version | None:
        """Return the current version of an object, or None."""
        with self.lock:
            return self._table(table).items.get(key)

    def put(self, table: str, data: JsonObject) -> Version:
        """Write an object at the next revision, which becomes its resourceVersion; stamps ``data``."""
        metadata = data["metadata"]
        namespace = metadata.get("namespace", "")
        with self.lock:
            revision = self.revision + 1
            metadata["resourceVersion"] = str(revision)
            version = Version(
                key=key_of(namespace, metadata["name"]),
                namespace=namespace,
                revision=revision,
                body=msgspec.json.encode(data),
                labels=dict(metadata.get("labels") or {}),
                fields={path: _text_at(data, path) for path in _FIELDS},
            )
            previous = self._table(table).items.get(version.key)
            self._table(table).items[version.key] = version
            self._commit(table, Change(revision=revision, previous=previous, current=version))
            return version

    def remove(self, table: str, key: str) -> Version:
        """Delete an object; return its last state, stamped with the revision of the deletion. KeyError if absent."""
        with self.lock:
            previous = self._table(table).items.pop(key)
            revision = self.revision + 1
            self._commit(table, Change(revision=revision, previous=previous, current=None))
            return previous.at(revision)

    def _commit(self, table: str, change: Change) -> None:
        self.revision = change.revision
        log = self._table(table).log
        log.append(change)
        if len(log) > 2 * self._history:
            surplus = len(log) - self._history
            self._table(table).forgotten = log[surplus - 1].revision
            del log[:surplus]
        self._advanced.notify_all()
        for wake in self._table(table).listeners:
            wake()

    def snapshot(self, table: str, revision: int | None = None) -> Snapshot:
        """Return all objects as of ``revision``, or now. Raises a 410 if that is lost."""
        with self.lock:
            items = dict(self._table(table).items)
            if revision is not None:
                for change in reversed(self.changes(table, revision)):
                    key = cast("Version", change.current or change.previous).key
                    if change.previous is None:
                        del items[key]
                    else:
                        items[key] = change.previous
            revision = self.revision if revision is None else revision
        return Snapshot(revision=revision, versions=[items[key] for key in sorted(items)])

    def changes(self, table: str, after: int, *, following: bool = False) -> list[Change]:
        """Return the changes of revisions later than ``after``. Raises a 410 if some of them are lost.

        A reader who is ``following`` the log has seen all until ``after``, so that a compaction costs it only the
        changes of this table that it has not read yet; anybody else must start from a revision after the compaction.
        """
        with self.lock:
            oldest = self._table(table).forgotten if following else max(self.compacted, self._table(table).forgotten)
            if after < oldest:
                raise expired(after, oldest)
            log = self._table(table).log
            return log[bisect_right(log, after, key=_revision_of) :]

    def compact(self) -> int:
        """Lose all history: every revision that a client has seen so far is too old from now on.

        Takes one revision, as a write to some other resource would; otherwise a client that is up to date would still
        be. Returns the new revision.
        """
        with self.lock:
            self.rebase(self.revision + 1)
            return self.revision

    def rebase(self, revision: int) -> None:
        """Lose all history and go on from another revision, higher or lower, with the same objects.

        Going back to a lower revision is what restoring a backup does; objects that carry a higher resourceVersion
        are given one that fits.
        """
        with self.lock:
            for table in self._tables.values():
                for key, version in table.items.items():
                    if version.revision > revision:
                        table.items[key] = version.at(revision)
                table.forgotten = min(table.log[-1].revision if table.log else table.forgotten, revision)
                table.log.clear()
            self.revision = self.compacted = revision
            self._advanced.notify_all()

    def wait_for(self, revision: int, timeout: float) -> bool:
        """Wait until the store has reached ``revision``; False if it has not after ``timeout`` seconds."""
        with self._advanced:
            return self._advanced.wait_for(lambda: self.revision >= revision, timeout)

    def subscribe(self, table: str, wake: Wake) -> None:
        """Call ``wake`` after each write to the table; it must return at once."""
        with self.lock:
            self._table(table).listeners.add(wake)

    def unsubscribe(self, table: str, wake: Wake) -> None:
        """Undo :meth:`subscribe`."""
        with self.lock:
            self._table(table).listeners.discard(wake)


def _revision_of(change: Change) -> int:
    return change.revision


def _text_at(data: Mapping[str, Any], path: str) -> str:
    value: Any = data
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
