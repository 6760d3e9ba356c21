"""When to do what next. Time is an argument, in seconds of any clock that never goes back.

Source: `docs/reference/lifecycle.md` section 11 for syncs. Reading all live rules costs time in proportion to their
number, so how often that is done depends on how long it took last.
"""

import msgspec

# The share of one core that may go into reading rules: because something was changed, and just to be sure.
_CHECK_SHARE = 0.1
_AUDIT_SHARE = 0.01

# Seconds between two readings, however quick they are; a change must be noticed within a second.
_CHECK_GAP = 0.25


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals in seconds.

    At least `min_interval` lies between the end of one sync and the start of the next, whatever that is for; only a
    repair of what another program has changed may come sooner. A failed sync is repeated after `retry_interval`, unless
    a change asks for it earlier; live rules are read no more often than that for no reason.
    """

    min_interval: float
    retry_interval: float

    def sync_due(self, *, pending: bool, failed: bool, last_end: float | None) -> float | None:
        """The time from which a sync may run; None if there is nothing to do. `last_end` is None before the first."""
        if last_end is None:
            return 0.0 if pending else None
        if pending:
            return self.earliest(last_end)
        if failed:
            return max(last_end + self.retry_interval, self.earliest(last_end))
        return None

    def earliest(self, last_end: float) -> float:
        """The time from which there may be another sync, unless it is a repair."""
        return last_end + self.min_interval

    def check_due(self, *, last_read: float, read_seconds: float) -> float:
        """The time from which live rules may be read again that somebody has changed."""
        return last_read + max(_CHECK_GAP, read_seconds / _CHECK_SHARE)

    def audit_due(self, *, last_read: float, read_seconds: float) -> float:
        """The time at which live rules are read again though nobody is known to have changed them."""
        return last_read + max(self.retry_interval, read_seconds / _AUDIT_SHARE)
