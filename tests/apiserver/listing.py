"""LIST: whole or in pages, at the right revision.

Source: "API Concepts", the table of resourceVersion semantics for get and list, and "Retrieving large results sets in
chunks". Like a real server's watch cache, a list at resourceVersion 0 ignores the limit.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from tests.apiserver import errors, presentation
from tests.apiserver.options import EXACT, ListOptions
from tests.apiserver.resources import Resource
from tests.apiserver.selectors import Predicate
from tests.apiserver.store import Compacted, Snapshot, Store, Version

JsonObject = dict[str, Any]

_INCONSISTENT = -1
_TOO_OLD_TOKEN = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class _Token(msgspec.Struct, kw_only=True):
    """The continue token: where the next page starts, and the revision of the first page (-1: any)."""

    v: str = "meta.k8s.io/v1"
    rv: int
    start: str

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def list_objects(store: Store, resource: Resource, options: ListOptions, patience: float = 3.0) -> bytes:
    """Return the list that ``options`` asks for, as JSON.

    ``patience`` is how long, in seconds, to wait for a revision that the store has not reached. Raises ApiError.
    """
    if options.continue_token:
        start, snapshot = _continued(store, resource, options)
    else:
        start, snapshot = "", _first(store, resource, options, patience)
    predicate = options.predicate
    found = [version for version in snapshot.versions if version.key >= start and selected(predicate, version)]
    metadata: JsonObject = {"resourceVersion": str(snapshot.revision)}
    limit = options.limit if options.resource_version != 0 else 0
    if limit and len(found) > limit:
        token = _Token(rv=snapshot.revision, start=found[limit - 1].key + "\0")
        metadata["continue"] = token.encode()
        if not predicate.selects:
            metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return presentation.listing(resource, found, metadata)


def selected(predicate: Predicate, version: Version) -> bool:
    """Whether a request is about this version."""
    return predicate.matches(version.namespace, version.labels, version.fields)


def wait_until_fresh(store: Store, revision: int, patience: float) -> None:
    """Wait for ``revision``; raises a 504 if the store does not reach it in time."""
    if not store.wait_for(revision, patience):
        raise errors.too_new(revision, store.revision)


def _first(store: Store, resource: Resource, options: ListOptions, patience: float) -> Snapshot:
    wanted = options.resource_version
    if not wanted:
        return store.snapshot(resource.storage)
    wait_until_fresh(store, wanted, patience)
    if options.match == EXACT or (not options.match and options.limit):
        try:
            return store.snapshot(resource.storage, wanted)
        except Compacted:
            raise errors.expired("The resourceVersion for the provided list is too old.") from None
    return store.snapshot(resource.storage)


def _continued(store: Store, resource: Resource, options: ListOptions) -> tuple[str, Snapshot]:
    text = options.continue_token
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except ValueError as error:
        raise errors.bad_request(f"continue key is not valid: {error}") from error
    if token.rv == _INCONSISTENT:
        return token.start, store.snapshot(resource.storage)
    try:
        # After a restart with older data the token may be from a future that never was: as lost as the past.
        known = token.rv if token.rv <= store.revision else _INCONSISTENT
        return token.start, store.snapshot(resource.storage, known)
    except Compacted:
        anew = _Token(rv=_INCONSISTENT, start=token.start)
        raise errors.expired(_TOO_OLD_TOKEN, continue_token=anew.encode()) from None
