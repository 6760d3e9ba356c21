"""The client's own limit on requests: `qps` on average, `burst` at once (KubeProxyConfiguration's clientConnection)."""

import threading
import time
from collections.abc import Callable


class Limiter:
    """A token bucket for any number of threads. A negative `qps` means no limit, as in client-go."""

    def __init__(self, qps: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._qps = qps
        self._burst = max(burst, 1)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(self._burst)
        self._at = clock()

    def reserve(self) -> float:
        """Take a token; return the seconds to wait until it may be used."""
        if self._qps <= 0:
            return 0.0
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._qps)
            self._at = now
            self._tokens -= 1
            return max(-self._tokens / self._qps, 0.0)
