"""The four patch formats: JSON merge patch (RFC 7396), JSON patch (RFC 6902), strategic merge patch, and apply.

A strategic merge treats maps as a merge patch does, and merges the lists that have a merge key in the API reference;
its directives (``$patch``, ``$retainKeys``) are not served. Apply configurations are merged in this way too, except
that what is new goes last: who owns which field is not tracked.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from tests.apiserver.errors import bad_request

JsonObject = dict[str, Any]
Keys = Sequence[Hashable]
Arrange = Callable[[Keys, Keys], Keys]

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TYPES = (JSON, MERGE, STRATEGIC, APPLY)

_MERGE_KEYS = {
    ("spec", "ports"): "port",
    ("spec", "taints"): "key",
    ("status", "conditions"): "type",
    ("status", "addresses"): "type",
    ("metadata", "ownerReferences"): "uid",
}
_MERGED_SETS = {("metadata", "finalizers")}


def apply(content_type: str, target: JsonObject, patch: Any) -> JsonObject:
    """Return ``target`` patched; ``target`` stays as it is. Raises a 400 for a patch that does not fit."""
    if content_type == JSON:
        return _json_patch(target, patch)
    if not isinstance(patch, dict):
        raise bad_request(f"a patch of type {content_type} is an object, not {type(patch).__name__}")
    if content_type == MERGE:
        return _merge(target, patch)
    return _strategic(target, patch, (), _new_last if content_type == APPLY else _new_first)


def _merge(target: Any, patch: JsonObject) -> JsonObject:
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value) if isinstance(value, dict) else value
    return merged


def _strategic(target: Any, patch: JsonObject, path: tuple[str, ...], arrange: Arrange) -> JsonObject:
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        here = (*path, name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _strategic(merged.get(name), value, here, arrange)
        elif here in _MERGE_KEYS:
            merged[name] = _merge_list(merged.get(name) or [], value, _MERGE_KEYS[here], arrange)
        elif here in _MERGED_SETS:
            merged[name] = list(arrange(merged.get(name) or [], value))
        else:
            merged[name] = value
    return merged


def _merge_list(target: list[JsonObject], patch: list[JsonObject], key: str, arrange: Arrange) -> list[JsonObject]:
    merged = {item.get(key): item for item in target}
    before, patched = list(merged), [item.get(key) for item in patch]
    for item in patch:
        merged[item.get(key)] = _merge(merged.get(item.get(key)), item)
    return [merged[each] for each in arrange(before, patched)]


def _new_first(before: Keys, patched: Keys) -> Keys:
    """The order after a strategic merge: that of the patch; what it does not name stays in front of what it preceded.

    A real server compares the first that is left of both lists by their places in the old one, and takes the item of
    the patch if it has no place there. So a new item comes before all old ones that the patch does not name.
    """
    places = {key: place for place, key in enumerate(before)}
    rest = [key for key in before if key not in patched]
    ordered: list[Hashable] = []
    for key in dict.fromkeys(patched):
        while rest and places[rest[0]] < places.get(key, -1):
            ordered.append(rest.pop(0))
        ordered.append(key)
    return [*ordered, *rest]


def _new_last(before: Keys, patched: Keys) -> Keys:
    return list(dict.fromkeys([*before, *patched]))


def _json_patch(target: JsonObject, operations: Any) -> JsonObject:
    document: JsonObject = {"": copy.deepcopy(target)}
    try:
        for operation in operations:
            _operate(document, operation)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise bad_request(f"the JSON patch cannot be applied: {error!r}") from error
    return dict(document[""])


def _operate(document: JsonObject, operation: JsonObject) -> None:
    match operation["op"]:
        case "add":
            _add(document, operation["path"], operation["value"])
        case "remove":
            _remove(document, operation["path"])
        case "replace":
            _remove(document, operation["path"])
            _add(document, operation["path"], operation["value"])
        case "move":
            _add(document, operation["path"], _remove(document, operation["from"]))
        case "copy":
            _add(document, operation["path"], copy.deepcopy(_value(document, operation["from"])))
        case "test":
            if _value(document, operation["path"]) != operation["value"]:
                raise ValueError(f"test failed at {operation['path']}")
        case unknown:
            raise ValueError(f"no such operation: {unknown}")


def _locate(document: JsonObject, pointer: str) -> tuple[Any, Any]:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]
    container: Any = document
    for part in parts[:-1]:
        container = container[int(part) if isinstance(container, list) else part]
    last = parts[-1]
    if not isinstance(container, list):
        return container, last
    return container, len(container) if last == "-" else int(last)


def _value(document: JsonObject, pointer: str) -> Any:
    container, place = _locate(document, pointer)
    return container[place]


def _remove(document: JsonObject, pointer: str) -> Any:
    container, place = _locate(document, pointer)
    return container.pop(place)


def _add(document: JsonObject, pointer: str, value: Any) -> None:
    container, place = _locate(document, pointer)
    if isinstance(container, list):
        container.insert(place, value)
    else:
        container[place] = value
