"""API errors and their wire form, the ``Status`` object.

Codes, reasons and messages follow the API conventions ("Response Status Kind"): a client decides by ``code`` and
``reason``, people read ``message``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.apiserver.resources import Resource

JsonObject = dict[str, Any]


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One invalid field: ``field`` is its path, ``problem`` the sentence after the path in the message."""

    field: str
    problem: str
    reason: str = "FieldValueInvalid"


class ApiError(Exception):
    """A failed request: what the server answers, and what the in-process API raises."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: JsonObject | None = None,
        continue_token: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.continue_token = continue_token

    def status(self) -> JsonObject:
        """Return the ``Status`` object that says this."""
        status: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_token} if self.continue_token else {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}

    def body(self) -> bytes:
        """Return the Status as the JSON line of an HTTP answer."""
        return msgspec.json.encode(self.status()) + b"\n"

    @property
    def retry_after(self) -> int:
        """Seconds for the ``Retry-After`` header; 0 for none."""
        return int((self.details or {}).get("retryAfterSeconds", 0))


def from_status(status: JsonObject, code: int) -> ApiError:
    """Read a Status that some API server sent with HTTP status ``code``."""
    return ApiError(
        status.get("code", code), status.get("reason", ""), status.get("message", ""), details=status.get("details")
    )


def _details(resource: Resource, name: str) -> JsonObject:
    group = {"group": resource.group} if resource.group else {}
    return {"name": name, **group, "kind": resource.plural}


def success(resource: Resource, name: str, uid: str) -> JsonObject:
    """Return the Status that answers a DELETE."""
    details = _details(resource, name) | {"uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def not_found(resource: Resource, name: str) -> ApiError:
    """404: no such object."""
    message = f'{resource.group_resource} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(resource, name))


def no_such_path() -> ApiError:
    """404: the path names no resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 for a POST of a name that is taken."""
    message = f'{resource.group_resource} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    """409 for a write that was based on another version of the object."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.group_resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(resource, name))


def bad_request(message: str) -> ApiError:
    """400: the request itself cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no credentials, or wrong ones."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def invalid(kind: str, name: str, causes: Sequence[Cause], *, group: str = "") -> ApiError:
    """422: the object, or the options of a list or watch, break a rule."""
    problems = [f"{cause.field}: {cause.problem}" for cause in causes]
    summary = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    qualified = f"{kind}.{group}" if group else kind
    details: JsonObject = {"name": name} | ({"group": group} if group else {}) | {"kind": kind}
    details["causes"] = [{"reason": c.reason, "message": c.problem, "field": c.field} for c in causes]
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {summary}', details=details)


def expired(message: str, *, continue_token: str = "") -> ApiError:
    """410: the history that the request needs is gone; the client lists anew."""
    return ApiError(410, "Expired", message, continue_token=continue_token)


def too_old(wanted: int, oldest: int) -> ApiError:
    """410 for a watch from before the compacted history."""
    return expired(f"too old resource version: {wanted} ({oldest})")


def too_new(wanted: int, current: int) -> ApiError:
    """504 for a list of a resource version that the server has not reached."""
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, details=details)


def method_not_allowed() -> ApiError:
    """405: the path exists, the verb does not apply to it."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media_type(content_type: str, allowed: Sequence[str]) -> ApiError:
    """415: the body is in a form that this path does not take."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(allowed)}"
    return ApiError(415, "UnsupportedMediaType", f"{message} (not {content_type!r})")


def not_acceptable() -> ApiError:
    """406: the client takes no form that this server has."""
    message = "only the following media types are accepted: application/json"
    return ApiError(406, "NotAcceptable", message)
