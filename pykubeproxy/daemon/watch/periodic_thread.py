"""A thread that looks at something again and again."""

import threading
from collections.abc import Callable


class PeriodicThread:
    """Does something every `interval` seconds in a thread called `name`, until it returns True or is stopped."""

    def __init__(self, name: str, interval: float, action: Callable[[], bool]) -> None:
        self._interval = interval
        self._action = action
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first time is after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """Let it end, without waiting for what it is at."""
        self._stopped.set()

    def join(self) -> None:
        """Let it end, and wait for that; there is nothing to wait for if it never began."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        is_done = False
        while not is_done and not self._stopped.wait(self._interval):
            is_done = self._action()
