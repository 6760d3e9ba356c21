"""WATCH without the network: which lines a watch sends, and in which order.

A :class:`Feed` follows the log of a table. Source: "Efficient detection of changes", "Watch bookmarks" and "Streaming
lists" in "API Concepts".
"""

from __future__ import annotations

from tests.apiserver import errors, presentation
from tests.apiserver.listing import selected, wait_until_fresh
from tests.apiserver.options import ListOptions
from tests.apiserver.resources import Resource
from tests.apiserver.selectors import Predicate
from tests.apiserver.store import Change, Compacted, Store, Version


def event_of(change: Change, predicate: Predicate) -> tuple[str, Version] | None:
    """Return what a watcher with this predicate sees of a change: the event type and the object, or None.

    An object that starts to match is ADDED, one that no longer matches is DELETED: with its last matching content,
    and the resourceVersion of the change.
    """
    current, previous = change.current, change.previous
    if current is not None and selected(predicate, current):
        matched_before = previous is not None and selected(predicate, previous)
        return ("MODIFIED" if matched_before else "ADDED"), current
    if previous is not None and selected(predicate, previous):
        return "DELETED", previous.at(change.revision)
    return None


class Feed:
    """The lines of one watch. :meth:`start` once, then :meth:`poll` whenever the store may have changed."""

    def __init__(self, store: Store, resource: Resource, options: ListOptions) -> None:
        """Follow ``resource`` as ``options`` asks."""
        self._store = store
        self.resource = resource
        self._options = options
        self._after = 0

    def start(self, patience: float = 3.0) -> list[bytes]:
        """Return the lines that come first: the initial state, if it was asked for, and the bookmark that ends it.

        Waits up to ``patience`` seconds for a revision in the future if the initial state must not be older than
        that. Raises a 410 if the history since the wanted revision is lost, a 504 if the wanted revision is not
        reached.
        """
        options = self._options
        initial = options.send_initial_events
        if initial is None:
            initial = not options.resource_version
        elif initial and options.resource_version:
            wait_until_fresh(self._store, options.resource_version, patience)
        if initial:
            return self._initial_state()
        self._after = options.resource_version or self._store.revision
        self._changes(following=False)
        return []

    def _initial_state(self) -> list[bytes]:
        snapshot = self._store.snapshot(self.resource.storage)
        self._after = snapshot.revision
        lines = [
            presentation.watch_event("ADDED", self.resource, version)
            for version in snapshot.versions
            if selected(self._options.predicate, version)
        ]
        if self._options.send_initial_events and self._options.bookmarks:
            lines.append(presentation.bookmark(self.resource, snapshot.revision, initial_events_end=True))
        return lines

    def poll(self, until: int) -> list[bytes]:
        """Return the lines for what has happened since the last call, up to the revision ``until``.

        Raises a 410 if some of that is lost.
        """
        lines = []
        for change in self._changes():
            if change.revision > until:
                break
            self._after = change.revision
            event = event_of(change, self._options.predicate)
            if event is not None:
                kind, version = event
                lines.append(presentation.watch_event(kind, self.resource, version))
        return lines

    def bookmark(self, revision: int) -> bytes | None:
        """Return a bookmark at a revision up to which everything has been sent; None if the client wants none."""
        if not self._options.bookmarks:
            return None
        self._after = max(self._after, revision)
        return presentation.bookmark(self.resource, self._after)

    def example(self) -> bytes:
        """Return some plausible line, for faults that need one to break."""
        snapshot = self._store.snapshot(self.resource.storage)
        if snapshot.versions:
            return presentation.watch_event("MODIFIED", self.resource, snapshot.versions[-1])
        return presentation.bookmark(self.resource, snapshot.revision)

    def _changes(self, *, following: bool = True) -> list[Change]:
        try:
            return self._store.changes(self.resource.storage, self._after, following=following)
        except Compacted as lost:
            raise errors.too_old(lost.wanted, lost.oldest) from None
