"""API errors and their wire form, the ``Status`` object.

Source: the API conventions, "Response Status Kind": a client decides by ``code`` and ``reason``.
"""

from __future__ import annotations

from typing import Any

import msgspec

JsonObject = dict[str, Any]


class ApiError(Exception):
    """A failed request: what the server answers, and what the in-process API raises. ``retry_after`` is in seconds."""

    def __init__(self, code: int, reason: str, message: str, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        said = {"status": "Failure", "message": message, "reason": reason, "code": code}
        self.status: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}} | said

    def body(self) -> bytes:
        """Return the Status as the JSON line of an HTTP answer."""
        return msgspec.json.encode(self.status) + b"\n"


def expired(wanted: int, oldest: int) -> ApiError:
    """410: the history that the request needs is gone; the client lists anew."""
    return ApiError(410, "Expired", f"too old resource version: {wanted} ({oldest})")


def too_new(wanted: int, current: int) -> ApiError:
    """504 for a list of a resource version that the server has not reached."""
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, retry_after=1)
