"""What differs between kinds on create, update and status update. The registry calls it; the rest is common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from tests.apiserver import events, services, slices
from tests.apiserver.allocator import Allocator
from tests.apiserver.errors import Cause
from tests.apiserver.resources import NODES

JsonObject = dict[str, Any]


def _no_change(new: JsonObject, old: JsonObject) -> None:
    """Accept an update as it is."""


def _no_problem(obj: JsonObject, old: JsonObject | None) -> Iterable[Cause]:
    return ()


def _no_claim(key: str, obj: JsonObject) -> None:
    """Take nothing."""


def _keep_spec(new: JsonObject, old: JsonObject) -> None:
    if "spec" in old:
        new["spec"] = old["spec"]


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one kind. All work on stored objects.

    ``create`` and ``update`` fill in defaults and undo what a client cannot set (``update(new, old)``); ``status`` is
    the update of the status subresource. ``check(obj, old)`` returns what is wrong, ``old`` being None on creation.
    ``claim(key, obj)`` takes what the object needs of shared ranges, and ``release(key)`` frees it.
    """

    create: Callable[[JsonObject], None] = lambda _: None
    update: Callable[[JsonObject, JsonObject], None] = _no_change
    status: Callable[[JsonObject, JsonObject], None] = _keep_spec
    check: Callable[[JsonObject, JsonObject | None], Iterable[Cause]] = _no_problem
    claim: Callable[[str, JsonObject], None] = _no_claim
    release: Callable[[str], None] = lambda _: None


def strategies(allocator: Allocator) -> dict[str, Strategy]:
    """Return the strategies by group resource; one that is missing has no rules."""
    families = allocator.families
    core_events = Strategy(create=events.set_defaults, update=_default_event)
    return {
        "services": Strategy(
            create=partial(services.create, families=families),
            update=partial(services.update, families=families),
            status=partial(services.update_status, families=families),
            check=services.check,
            claim=allocator.assign,
            release=allocator.release,
        ),
        "endpointslices.discovery.k8s.io": Strategy(create=slices.create, update=slices.update, check=slices.check),
        "events": core_events,
        "events.events.k8s.io": msgspec.structs.replace(core_events, check=events.check),
        "nodes": Strategy(create=_create_node, update=_update_node),
        "namespaces": Strategy(create=_create_namespace, update=_update_namespace),
    }


def _default_event(new: JsonObject, old: JsonObject) -> None:
    events.set_defaults(new)


def _create_node(node: JsonObject) -> None:
    """A kubelet creates its Node with a status."""
    node.setdefault("spec", {})
    node["status"] = NODES.zero["status"] | (node.get("status") or {})


def _update_node(new: JsonObject, old: JsonObject) -> None:
    new.setdefault("spec", {})
    new["status"] = old["status"]


def _create_namespace(namespace: JsonObject) -> None:
    metadata = namespace["metadata"]
    namespace["spec"] = {"finalizers": ["kubernetes"]}
    namespace["status"] = {"phase": "Active"}
    metadata["labels"] = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata["name"]}


def _update_namespace(new: JsonObject, old: JsonObject) -> None:
    new["spec"], new["status"] = old["spec"], old["status"]
