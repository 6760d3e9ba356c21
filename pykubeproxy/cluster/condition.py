"""Telling how something is doing: one line when that changes, however often it is tried."""

from collections.abc import Callable

from pykubeproxy.cluster.trouble import Trouble


class Condition:
    """Whether something works. `bad` and `good` are called with a text when there is news for the log.

    What fails again in the same way within `settled` seconds of working has never quite worked, and is not told anew.
    """

    def __init__(self, bad: Callable[[str], None], good: Callable[[], None], settled: float) -> None:
        self._bad = bad
        self._good = good
        self._settled = settled
        self._told: str | None = None
        self._told_now = False
        self._works_since: float | None = None
        self.trouble: Trouble | None = None
        """What is wrong now; None if nothing is known to be."""

    def failed(self, trouble: Trouble, now: float) -> None:
        """It did not work."""
        if self.trouble is not None and self.trouble.kind == trouble.kind:
            return
        flickers = self._works_since is not None and now - self._works_since < self._settled
        repeats = self._told == trouble.kind and flickers
        self.trouble = trouble
        if not repeats:
            self._told = trouble.kind
            self._told_now = True
            self._bad(str(trouble))

    def works(self, now: float) -> None:
        """It works."""
        if self.trouble is None:
            return
        self.trouble = None
        self._works_since = now
        if self._told_now:
            self._told_now = False
            self._good()
