"""A thread that does something at regular intervals."""

import threading
from collections.abc import Callable


class PeriodicThread:
    """Calls `action` every `interval` seconds in a thread called `name`, until it returns True, or is stopped."""

    def __init__(self, name: str, interval: float, action: Callable[[], bool]) -> None:
        self._interval = interval
        self._action = action
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start; the action is done for the first time after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, without waiting for that."""
        self._stopped.set()

    def join(self) -> None:
        """Ask the thread to end, and wait for that, unless it was never started."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        is_done = False
        while not is_done and not self._stopped.wait(self._interval):
            is_done = self._action()
