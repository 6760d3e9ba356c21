"""What clients have asked: one entry per request, so that a test can say "no busy loop"."""

import threading
from collections.abc import Mapping

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived. ``at`` is time.monotonic(); ``resource`` is a plural name, or the path.

    ``verb`` is as in audit logs: get, list, watch, create, update. Credentials are not kept.
    """

    at: float
    verb: str
    resource: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Journal:
    """The requests so far. Thread-safe. An empty verb or resource stands for all."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._requests: list[Request] = []

    def record(self, request: Request) -> None:
        with self._arrived:
            self._requests.append(request)
            self._arrived.notify_all()

    def requests(self, verb: str = "", resource: str = "") -> list[Request]:
        with self._arrived:
            return [r for r in self._requests if verb in ("", r.verb) and resource in ("", r.resource)]

    def count(self, verb: str = "", resource: str = "") -> int:
        return len(self.requests(verb, resource))

    def wait(self, count: int, verb: str = "", resource: str = "") -> bool:
        """Wait until there have been at least ``count`` such requests; False if not within ten seconds."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self.count(verb, resource) >= count, 10.0)

    def clear(self) -> None:
        with self._arrived:
            self._requests.clear()
