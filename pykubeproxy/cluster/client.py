"""Requests to the API server, over the connections and with the credentials of the official `kubernetes` client.

Responses are taken as they come over the wire (`preload_content=False`): neither the client's model classes, which cost
kilobytes per object, nor its Watch, which hides ERROR events, are used. Everything that can go wrong raises ApiError.
"""

import platform
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import Protocol
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from pykubeproxy.cluster.access import Access, Credentials, find_access
from pykubeproxy.cluster.api_error import MALFORMED, Aborted, ApiError, refused
from pykubeproxy.cluster.connections import Sockets, register_sockets
from pykubeproxy.cluster.limiter import Limiter
from pykubeproxy.cluster.list_parts import list_parts
from pykubeproxy.cluster.official_client import part
from pykubeproxy.cluster.outage import Outage
from pykubeproxy.cluster.timeouts import Backoff, Timeouts
from pykubeproxy.cluster.unreachable import unreachable
from pykubeproxy.config.release import KUBERNETES_VERSION, architecture, program_version
from pykubeproxy.config.types import ClientConnection

_COMPRESSED = {"Accept-Encoding": "gzip"}
_CHUNK = 64 * 1024
_LONGEST_LINE = 16 * 1024 * 1024
_NO_ANSWER = "<error>"
"""client-go's word for the status of a request without an answer."""


class Observer(Protocol):
    """Called for each request, by the thread that makes it."""

    def api_answered(self, host: str, method: str, code: str) -> None:
        """A request has ended with this HTTP status, or with `<error>` if there was no answer."""

    def api_request_took(self, host: str, method: str, seconds: float) -> None:
        """A request that is not a watch has taken so long, from its turn at the limiter to the end of the answer."""


def user_agent() -> str:
    """`kube-proxy/<version> (linux/<arch>) kubernetes/<commit>`, by which audit logs know a kube-proxy."""
    system = f"linux/{architecture(platform.machine())}"
    return f"kube-proxy/v{KUBERNETES_VERSION} ({system}) kubernetes/pykubeproxy-{program_version()}"


def connect(
    settings: ClientConnection,
    master: str = "",
    timeouts: Timeouts | None = None,
    backoff: Backoff | None = None,
    observer: Observer | None = None,
) -> "ApiClient":
    """A client for the API server that the configuration names. Nothing is sent yet. Raises AccessError."""
    access = find_access(settings.kubeconfig, master)
    return ApiClient(access, Limiter(settings.qps, settings.burst), timeouts or Timeouts(), Outage(backoff), observer)


class ApiClient:
    """An API server, and the limit on our requests to it. Each thread needs a session of its own."""

    def __init__(
        self, access: Access, limiter: Limiter, timeouts: Timeouts, outage: Outage, observer: Observer | None = None
    ) -> None:
        self._access = access
        self._limiter = limiter
        self._timeouts = timeouts
        self._observer = observer
        self.outage = outage
        """Whether the server is away, and when to ask it again."""

    @property
    def server(self) -> str:
        """The API server's address, for messages."""
        return self._access.shown

    @property
    def weakness(self) -> str | None:
        """Why the connection is not secure: not encrypted, or the server not verified; None if it is secure."""
        return self._access.weakness

    def session(self) -> "Session":
        """Connections for one thread."""
        return Session(self._access, self._limiter, self._timeouts, self.outage, self._observer)


class Session:
    """Requests of one thread. Only `abort` may be called from another one."""

    def __init__(
        self, access: Access, limiter: Limiter, timeouts: Timeouts, outage: Outage, observer: Observer | None
    ) -> None:
        self._access = access
        self._limiter = limiter
        self._timeouts = timeouts
        self._outage = outage
        self._observer = observer
        self._sockets = Sockets()
        self._manager: urllib3.PoolManager | None = None
        self._generation = -1

    def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body of a GET. Raises ApiError."""
        with self._timed("GET"):
            response = self._request("GET", path, query, headers=_COMPRESSED)
            with self._explained(), closing(response):
                return bytes(response.read(decode_content=True))

    def get_list(self, path: str, query: Mapping[str, str]) -> Generator[tuple[bytes, bool]]:
        """The parts of a list as they arrive, each with True if it is the last one (see list_parts). Raises ApiError.

        One that is not read to its end has to be closed.
        """
        with self._timed("GET"):
            response = self._request("GET", path, query, headers=_COMPRESSED)
            with self._explained(), closing(response):
                yield from list_parts(response.stream(_CHUNK, decode_content=True))

    def watch(self, path: str, query: Mapping[str, str], *, is_list: bool = False) -> "Lines":
        """The lines of a watch; with `is_list`, of one that begins with a list (see Timeouts). Raises ApiError."""
        silence = self._timeouts.list_silence if is_list else None
        response = self._request("GET", path, query, headers=_COMPRESSED, silence=silence)
        return Lines(response, self._explained, partial(self._sockets.set_timeout, self._timeouts.silence))

    def post(self, path: str, obj: object) -> None:
        """Create an object. Raises ApiError."""
        body = msgspec.json.encode(obj)
        with self._timed("POST"):
            response = self._request("POST", path, {}, headers={"Content-Type": "application/json"}, body=body)
            with self._explained(), closing(response):
                response.drain_conn()

    def abort(self) -> None:
        """End the request that is under way, and refuse all others. May be called from any thread."""
        self._sockets.abort()

    @property
    def connecting_for(self) -> float:
        """Seconds since the connection was begun that is being made, name and TLS included; 0 if none is."""
        since = self._sockets.connecting_since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Close the connections that are not in use."""
        if self._manager is not None:
            self._manager.clear()

    def _request(  # noqa: PLR0913  all that a request is made of
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        silence: float | None = None,
    ) -> BaseHTTPResponse:
        """The response to a request, its body still to be read. Raises ApiError if it is not a success.

        `silence` is how long nothing may arrive, in seconds; None for the usual time.
        """
        if self._sockets.aborted.wait(self._limiter.reserve()):
            raise Aborted
        credentials = self._access.credentials()
        try:
            with self._explained():
                send = partial(
                    self._manager_for(credentials).request,
                    method,
                    f"{self._access.server}{path}?{urlencode(query)}",
                    body=body,
                    headers={**_headers(credentials), **headers},
                    preload_content=False,
                    redirect=False,
                    retries=False,
                    timeout=urllib3.Timeout(
                        connect=self._timeouts.connect,
                        read=self._timeouts.silence if silence is None else silence,
                    ),
                )
                response = self._counted(method, send)
                if response.status != 429 and response.status < 500:
                    self._outage.answered()
                if 200 <= response.status < 300:
                    return response
                with closing(response):
                    raise refused(response.status, response.read(), response.headers.get("Retry-After"))
        except ApiError as error:
            if error.is_unauthorized or error.kind in ("TLS", "certificate"):
                self._access.renew(credentials.generation)
            raise

    def _counted(self, method: str, send: Callable[[], BaseHTTPResponse]) -> BaseHTTPResponse:
        """The response that `send` returns; the observer gets its status, or `<error>` if there was no answer."""
        code = _NO_ANSWER
        try:
            response = send()
            code = str(response.status)
            return response
        finally:
            if self._observer is not None:
                self._observer.api_answered(self._access.host, method, code)

    @contextmanager
    def _timed(self, method: str) -> Iterator[None]:
        """Report to the observer how long the block has taken, also if it failed."""
        begun = time.monotonic()
        try:
            yield
        finally:
            if self._observer is not None:
                self._observer.api_request_took(self._access.host, method, time.monotonic() - begun)

    def _manager_for(self, credentials: Credentials) -> urllib3.PoolManager:
        """The connections made with these credentials; those made with older ones are closed."""
        if self._manager is None or self._generation != credentials.generation:
            self.close()
            manager: urllib3.PoolManager = part().rest.RESTClientObject(credentials.configuration).pool_manager
            register_sockets(manager, self._sockets)
            self._manager, self._generation = manager, credentials.generation
        return self._manager

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the exceptions of the transport into ApiError."""
        try:
            yield
        except (HTTPError, OSError, ValueError) as error:
            if self._sockets.aborted.is_set():
                raise Aborted from None
            raise unreachable(error, self._access.shown) from error


class Lines:
    """The lines of a streamed answer, in the pieces in which they arrive."""

    def __init__(
        self,
        response: BaseHTTPResponse,
        explained: Callable[[], AbstractContextManager[None]],
        use_watch_timeout: Callable[[], None],
    ) -> None:
        """`use_watch_timeout` sets the read timeout of the connection to that of a watch."""
        self._response = response
        self._explained = explained
        self.use_watch_timeout = use_watch_timeout
        self.is_compressed = "Content-Encoding" in response.headers
        self._pieces = response.stream(_CHUNK, decode_content=True)
        self._rest = b""

    def read(self) -> list[bytes]:
        """The complete lines that have arrived; blocks until there is one. Empty at the end of the stream.

        Raises ApiError if the stream breaks off.
        """
        with self._explained():
            for piece in self._pieces:
                lines = (self._rest + piece).split(b"\n")
                self._rest = lines.pop()
                if lines:
                    return lines
                if len(self._rest) > _LONGEST_LINE:
                    raise ApiError("the API server sent a line without end", kind=MALFORMED)
        if self._rest:
            raise ApiError("the API server's stream ended in the middle of a line", kind="truncated")
        return []

    def close(self) -> None:
        """Leave. The connection of a stream that was read to its end is used again, any other one is closed."""
        self._response.close()


def _headers(credentials: Credentials) -> dict[str, str]:
    headers = {"Accept": "application/json", "User-Agent": user_agent()}
    if credentials.authorization:
        headers["Authorization"] = credentials.authorization
    return headers
