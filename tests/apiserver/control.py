"""Faults and counters over HTTP, for tests in other processes and network namespaces.

``POST /_test/faults`` with ``{"fault": NAME, ...arguments}`` orders a fault (:class:`~tests.apiserver.faults.Faults`
has the names and arguments); ``DELETE`` clears them. ``GET /_test/requests`` returns counts, ``DELETE`` resets them.
``GET /_test/watchers?count=N&resource=R&timeout=S`` waits for N watches. ``POST /_test/objects`` stores an object
unchecked. No token is needed, and no fault applies to these paths, except refused connections.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from tests.apiserver import errors
from tests.apiserver.answers import Answer, Asked
from tests.apiserver.core import Core
from tests.apiserver.errors import ApiError
from tests.apiserver.faults import Faults
from tests.apiserver.resources import by_kind

PREFIX = "/_test/"
ORDERS = (
    "accept",
    "bookmarks",
    "break_next_watches",
    "break_watches",
    "clear",
    "compact",
    "delay",
    "expire_as_http",
    "fail",
    "half_open",
    "refuse",
    "restart",
    "stall",
    "lose_answers",
    "stream_lists",
    "break_streaming_lists",
    "trickle",
    "truncate",
    "untrusted_certificate",
)
_CLOSING = ("refuse", "restart")
_UNTIL_ANSWERED = 0.2


def answer(core: Core, request: Asked) -> Answer:
    """Answer a request below ``/_test/``."""
    try:
        result = _result(core, request)
    except ApiError as error:
        return Answer(code=error.code, body=error.body())
    return Answer(body=msgspec.json.encode(result) + b"\n")


def _result(core: Core, request: Asked) -> Any:
    match request.method, request.path.removeprefix(PREFIX):
        case "POST", "faults":
            return _order(core.faults, request.body)
        case "DELETE", "faults":
            core.faults.clear()
            return {}
        case "GET", "requests":
            counts = core.journal.counts()
            listed = [{"verb": v, "resource": r, "count": n} for (v, r), n in sorted(counts.items())]
            return {"requests": listed, "total": sum(counts.values())}
        case "DELETE", "requests":
            core.journal.clear()
            return {}
        case "GET", "watchers":
            return _watchers(core, request)
        case "POST", "objects":
            return _inject(core, request.body)
    raise errors.no_such_path()


def _order(faults: Faults, body: bytes) -> Any:
    arguments = _decoded(body)
    name = arguments.pop("fault", "")
    if name not in ORDERS:
        raise errors.bad_request(f"fault: {name!r} is none of {', '.join(ORDERS)}")
    order: Callable[..., Any] = getattr(faults, name)
    try:
        inspect.signature(order).bind(**arguments)
    except TypeError as error:
        raise errors.bad_request(f"fault {name}{inspect.signature(order)}: {error}") from error
    if name in _CLOSING:
        # This very connection is about to be closed: answer first.
        timer = threading.Timer(_UNTIL_ANSWERED, order, kwargs=arguments)
        timer.daemon = True
        timer.start()
        return {"result": None}
    try:
        return {"result": order(**arguments)}
    except (TypeError, ValueError) as error:
        raise errors.bad_request(f"fault {name}: {error}") from error


def _watchers(core: Core, request: Asked) -> Any:
    resource = request.query.get("resource", "")
    if "count" in request.query:
        count, timeout = int(request.query["count"]), float(request.query.get("timeout", "10"))
        if not core.watchers.wait(count, resource, timeout=timeout):
            raise ApiError(504, "Timeout", f"{core.watchers.count(resource)} watches after {timeout:g} s, not {count}")
    return {"watchers": core.watchers.count(resource)}


def _inject(core: Core, body: bytes) -> Any:
    obj = _decoded(body)
    try:
        resource = by_kind(obj.get("kind", ""), obj.get("apiVersion", ""))
    except KeyError as error:
        raise errors.bad_request(f"kind: not served: {error}") from error
    return {"resourceVersion": str(core.registry.inject(resource, obj).revision)}


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise errors.bad_request(f"the body is no JSON object: {error}") from error
