"""When to sync next. Time is an argument, in seconds of any clock that never goes back (`lifecycle.md` section 11)."""

import msgspec


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals in seconds.

    `min_interval` lies between the end of one sync and the start of the next; a failed one is repeated after
    `retry_interval`, unless a change asks for it earlier.
    """

    min_interval: float
    retry_interval: float

    def next_sync(self, *, pending: bool, failed: bool, last_end: float | None) -> float | None:
        """The time from which a sync may run; None if there is nothing to do. `last_end` is None before the first."""
        if last_end is None:
            return 0.0 if pending else None
        if pending:
            return last_end + self.min_interval
        if failed:
            return last_end + max(self.retry_interval, self.min_interval)
        return None
