"""Events: one stored form (core/v1), two views of it. Source: the Event v1 events.k8s.io API reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.apiserver.errors import Cause, bad_request

JsonObject = dict[str, Any]

_CORE_NAME = {
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_SECONDS_END = len("2006-01-02T15:04:05")
_MICRO_TIME = re.compile(_SECONDS.pattern + r"[.,]\d{6}(Z|[+-]\d\d:\d\d)")
_NEW_NAME = {core: new for new, core in _CORE_NAME.items()}


def read_times(event: JsonObject) -> None:
    """Read the times that have microseconds (MicroTime), of either form, and write them in UTC.

    Raises a 400 for one that has not six digits after the second.
    """
    for holder, name in ((event, "eventTime"), (event.get("series") or {}, "lastObservedTime")):
        if holder.get(name) is not None:
            holder[name] = _micro_time(str(holder[name]))


def _micro_time(text: str) -> str:
    if _MICRO_TIME.fullmatch(text):
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    rest, wanted = (text[_SECONDS_END:], ".000000") if _SECONDS.match(text) else (text, "2006")
    problem = f'parsing time "{text}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "{rest}" as "{wanted}"'
    raise bad_request(f'Event in version "v1" cannot be handled as a Event: {problem}')


def to_stored(event: JsonObject) -> JsonObject:
    """Turn an events.k8s.io/v1 Event into its core/v1 form."""
    return {_CORE_NAME.get(name, name): value for name, value in event.items()}


def from_stored(event: JsonObject) -> JsonObject:
    """Turn a stored Event into its events.k8s.io/v1 form."""
    return {_NEW_NAME.get(name, name): value for name, value in event.items()}


def set_defaults(event: JsonObject) -> None:
    """Write the structs and timestamps that a real server always writes."""
    event["involvedObject"] = event.get("involvedObject") or {}
    event["source"] = event.get("source") or {}
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        event[name] = event.get(name)
    for name in ("reportingComponent", "reportingInstance"):
        event[name] = event.get(name) or ""


def check(event: JsonObject, old: JsonObject | None) -> Iterator[Cause]:
    """Yield what is wrong with a new event of events.k8s.io/v1, in stored form; core/v1 is not checked."""
    if old is not None:
        return
    for name in ("eventTime", "reportingComponent", "reportingInstance", "action", "reason"):
        if not event.get(name):
            yield Cause(field=_NEW_NAME.get(name, name), problem="Required value", reason="FieldValueRequired")
    if event.get("type") not in ("Normal", "Warning"):
        problem = f'Invalid value: "{event.get("type", "")}": has invalid value'
        yield Cause(field="type", problem=problem)
