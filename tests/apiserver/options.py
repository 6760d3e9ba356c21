"""The query parameters of list and watch, and which combinations of them are allowed.

Source: "API Concepts": resourceVersion, resourceVersionMatch, limit and continue, streaming lists.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tests.apiserver import errors
from tests.apiserver.errors import Cause
from tests.apiserver.resources import Target
from tests.apiserver.selectors import FieldTerm, Predicate, parse_fields, parse_labels

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"


class ListOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a list or watch asks for. ``resource_version`` None means most recent; ``timeout`` is in seconds."""

    predicate: Predicate
    watch: bool = False
    resource_version: int | None = None
    match: str = ""
    limit: int = 0
    continue_token: str = ""
    timeout: int = 0
    bookmarks: bool = False
    send_initial_events: bool | None = None


def parse(target: Target, query: Mapping[str, str], *, watch_list: bool) -> ListOptions:
    """Read the parameters of a request to ``target``.

    ``watch_list`` says whether the server streams lists; if not, it refuses ``sendInitialEvents`` as older servers
    do. Raises a 400 or 422.
    """
    resource = target.resource
    fields = parse_fields(query.get("fieldSelector", ""), resource.fields)
    if target.name:
        fields += (FieldTerm(field="metadata.name", value=target.name, equal=True),)
    predicate = Predicate(
        namespace=target.namespace, labels=parse_labels(query.get("labelSelector", "")), fields=fields
    )
    version = query.get("resourceVersion", "")
    initial = query.get("sendInitialEvents")
    options = ListOptions(
        predicate=predicate,
        watch=_flag("watch", query),
        resource_version=_number("resourceVersion", query) if version else None,
        match=query.get("resourceVersionMatch", ""),
        limit=_number("limit", query),
        continue_token=query.get("continue", ""),
        timeout=_number("timeoutSeconds", query),
        bookmarks=_flag("allowWatchBookmarks", query),
        send_initial_events=None if initial in (None, "") else _flag("sendInitialEvents", query),
    )
    problems = _watch_problems(options, watch_list=watch_list) if options.watch else _list_problems(options)
    if problems:
        raise errors.invalid("ListOptions", "", problems, group="meta.k8s.io")
    if options.continue_token and options.resource_version:
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    return options


def _flag(name: str, query: Mapping[str, str]) -> bool:
    return query.get(name, "").lower() in ("true", "1", "t")


def _number(name: str, query: Mapping[str, str]) -> int:
    text = query.get(name, "") or "0"
    if not text.isdecimal():
        raise errors.bad_request(f'{name}: Invalid value: "{text}": must be a whole number')
    return int(text)


def _forbidden(field: str, why: str) -> Cause:
    return Cause(field=field, problem=f"Forbidden: {why}", reason="FieldValueForbidden")


def _unsupported_match(match: str) -> Cause:
    problem = f'Unsupported value: "{match}": supported values: "{EXACT}", "{NOT_OLDER_THAN}", ""'
    return Cause(field="resourceVersionMatch", problem=problem, reason="FieldValueNotSupported")


def _list_problems(options: ListOptions) -> list[Cause]:
    problems = []
    field = "resourceVersionMatch"
    if options.match:
        if options.resource_version is None:
            problems.append(_forbidden(field, f"{field} is forbidden unless resourceVersion is provided"))
        if options.continue_token:
            problems.append(_forbidden(field, f"{field} is forbidden when continue is provided"))
        if options.match not in (EXACT, NOT_OLDER_THAN):
            problems.append(_unsupported_match(options.match))
        if options.match == EXACT and options.resource_version == 0:
            problems.append(_forbidden(field, f'{field} "exact" is forbidden for resourceVersion "0"'))
    if options.send_initial_events is not None:
        problems.append(_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return problems


def _watch_problems(options: ListOptions, *, watch_list: bool) -> list[Cause]:
    problems = []
    field, initial = "resourceVersionMatch", "sendInitialEvents"
    if options.send_initial_events is not None:
        if options.match != NOT_OLDER_THAN:
            problems.append(_forbidden(field, f"{initial} requires setting {field} to {NOT_OLDER_THAN}"))
        if not watch_list:
            why = f"{initial} is forbidden for watch unless the WatchList feature gate is enabled"
            problems.append(_forbidden(initial, why))
    elif options.match:
        problems.append(_forbidden(field, f"{field} is forbidden for watch unless {initial} is provided"))
    if options.match not in ("", NOT_OLDER_THAN):
        problems.append(_unsupported_match(options.match))
    return problems
