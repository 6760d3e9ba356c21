"""The errors of requests to the API server. The text of each is one line, for users."""

import msgspec

from pykubeproxy.cluster.validation import decode

READ_TIMEOUT = "read timeout"
"""The `kind` of an ApiError for a connection that is open, but over which nothing arrives."""

MALFORMED, SHORT_WATCH, INTERNAL = "malformed", "short watch", "internal"
"""The `kind` of an ApiError for an unreadable answer, for watches that end at once, and for a bug of this program."""

_NOT_OF_SERVER = (MALFORMED, SHORT_WATCH, INTERNAL)

_LONGEST_TEXT = 300
_LONGEST_WAIT = 600
"""Seconds; a server that asks for more is asked again all the same."""


class ApiError(Exception):
    """A request or a watch that failed; `str()` is one line. Errors with the same cause have the same `kind`."""

    def __init__(
        self,
        text: str,
        *,
        kind: str,
        status: int | None = None,
        retry_after: float | None = None,
        is_too_new: bool = False,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.status = status
        """The HTTP status, or the code of an ERROR event; None if there was neither."""
        self.retry_after = retry_after
        """Seconds that the server asks us to wait."""
        self.is_too_new = is_too_new
        """True if the server has not reached the version that was asked for; it may never do so."""

    @property
    def is_expired(self) -> bool:
        """True if the server has forgotten the version or the continue token that was asked for."""
        return self.status == 410

    @property
    def is_of_server(self) -> bool:
        """True if the whole server is away, overloaded or broken, and not only this request refused."""
        if self.status is None:
            return self.kind not in _NOT_OF_SERVER
        return (self.status == 429 or self.status >= 500) and not self.is_too_new

    @property
    def is_unsupported(self) -> bool:
        """True if the server does not take these parameters: 422 from those that know them, 400 from others."""
        return self.status in (400, 422)

    @property
    def is_unauthorized(self) -> bool:
        """True if the server does not know who we are."""
        return self.status == 401

    @property
    def is_forbidden(self) -> bool:
        """True if the server knows who we are, and that we may not do this."""
        return self.status == 403

    @property
    def already_exists(self) -> bool:
        """True if the server has an object of the name that was to be created."""
        return self.status == 409


class Aborted(ApiError):
    """The request was ended by `Session.abort`."""

    def __init__(self) -> None:
        super().__init__("stopped", kind="stopped")


class _Details(msgspec.Struct, rename="camel"):
    retry_after_seconds: int | None = None


class _Status(msgspec.Struct):
    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None


_STATUS = msgspec.json.Decoder(_Status)


def refused(status: int, body: bytes | msgspec.Raw, retry_after: str | None = None) -> ApiError:
    """The ApiError of an answer that is no success; `retry_after` is the header, whole seconds in Kubernetes.

    The body is a Status object (API reference, "Status"), or whatever a proxy puts in its place. An ERROR event of a
    watch has no HTTP status of its own: pass 0, and its object as the body.
    """
    try:
        said = decode(_STATUS, body)
    except msgspec.MsgspecError:
        said = _Status(message=bytes(body).decode(errors="replace"))
    code = status or said.code
    in_body = said.details.retry_after_seconds if said.details else None
    # Only the first nine digits are read: Python refuses numbers of thousands of digits.
    seconds = int(retry_after[:9]) if retry_after and retry_after.isdecimal() else in_body
    seconds = None if seconds is None else min(max(seconds, 0), _LONGEST_WAIT)
    message = " ".join(said.message.split() or said.reason.split())[:_LONGEST_TEXT] or "no explanation"
    text = f"the API server answers {code}: {message}"
    # Not all servers name this cause in the details of the Status; client-go, too, looks at the server's message.
    is_too_new = code == 504 and "Too large resource version" in message
    return ApiError(text, kind=f"status {code}", status=code, retry_after=seconds, is_too_new=is_too_new)
