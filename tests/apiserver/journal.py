"""What clients have asked: one entry per request, and counts, so that a test can say "no busy loop"."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived. ``at`` is time.monotonic(); ``resource`` is a plural name, or a path such as /readyz.

    ``verb`` is as in audit logs: get, list, watch, create, update, patch, delete, deletecollection. Credentials are
    not kept.
    """

    at: float
    verb: str
    resource: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Journal:
    """The requests so far, the most recent 100,000 of them in full. Thread-safe."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._recent: deque[Request] = deque(maxlen=100_000)
        self._counts: Counter[tuple[str, str]] = Counter()

    def record(self, request: Request) -> None:
        """Take note of a request."""
        with self._arrived:
            self._recent.append(request)
            self._counts[request.verb, request.resource] += 1
            self._arrived.notify_all()

    def count(self, verb: str = "", resource: str = "") -> int:
        """Return the number of requests of this verb and resource; empty matches all."""
        with self._arrived:
            return self._count(verb, resource)

    def requests(self, verb: str = "", resource: str = "") -> list[Request]:
        """Return the requests of this verb and resource, oldest first."""
        with self._arrived:
            return [r for r in self._recent if verb in ("", r.verb) and resource in ("", r.resource)]

    def wait(self, count: int, verb: str = "", resource: str = "", *, timeout: float = 10.0) -> bool:
        """Wait until there have been at least ``count`` such requests; False if not within ``timeout`` seconds."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self._count(verb, resource) >= count, timeout)

    def clear(self) -> None:
        """Forget all requests."""
        with self._arrived:
            self._recent.clear()
            self._counts.clear()

    def _count(self, verb: str, resource: str) -> int:
        return sum(n for (v, r), n in self._counts.items() if verb in ("", v) and resource in ("", r))
