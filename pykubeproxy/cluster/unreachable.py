"""Exceptions of urllib3, ssl and socket as ApiErrors, since their own texts name Python objects."""

import socket
import ssl
from collections.abc import Iterator

from urllib3 import exceptions

from pykubeproxy.cluster.api_error import READ_TIMEOUT, ApiError


def unreachable(error: BaseException, server: str) -> ApiError:
    """The ApiError behind an exception of the transport; `server` is what the user calls the other end."""
    causes = list(_causes(error))
    who = f"the proxy before {server}" if any(isinstance(cause, exceptions.ProxyError) for cause in causes) else server
    for cause in causes:
        found = _kind_and_text(cause)
        if found is not None:
            kind, text = found
            return ApiError(f"{who}: {text}", kind=kind)
    return ApiError(f"{who}: the connection broke off", kind="broken")


def _kind_and_text(cause: BaseException) -> tuple[str, str] | None:
    """The kind and text of an ApiError for a cause; None if another exception in the chain says more."""
    found = None
    match cause:
        case socket.gaierror():
            found = "name", f"the name cannot be resolved: {cause.strerror}"
        case ssl.SSLCertVerificationError():
            found = "certificate", f"its certificate is not accepted: {cause.verify_message}"
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            found = "broken", "the connection broke off"
        case ssl.SSLError():
            found = "TLS", f"TLS failed: {cause.reason or cause}"
        case exceptions.ReadTimeoutError():
            found = READ_TIMEOUT, "no answer in time"
        case exceptions.NewConnectionError():
            pass  # has its reason in what it was raised from
        case exceptions.ConnectTimeoutError() | TimeoutError():
            found = "timeout", "no connection in time"
        case OSError(strerror=str(reason)):
            found = f"errno {cause.errno}", reason
    return found


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, those that it carries, and those it was raised from, outermost first."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            inner = (*cause.args, cause.__cause__, cause.__context__)
            waiting += [each for each in inner if isinstance(each, BaseException)]
