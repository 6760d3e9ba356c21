"""Time as it is measured, and as health reports print it."""

import time
from collections.abc import Callable
from typing import NamedTuple

_SECOND = 1_000_000_000

NEVER = "0001-01-01T00:00:00Z"
"""What Go prints for a time that was never set."""


class Timestamp(NamedTuple):
    """One moment on two clocks: `wall` in nanoseconds since 1970, `monotonic` seconds of one that never jumps."""

    wall: int
    monotonic: float


Clock = Callable[[], Timestamp]


def now() -> Timestamp:
    """The present moment."""
    return Timestamp(time.time_ns(), time.monotonic())


def rfc3339(wall: int) -> str:
    """Nanoseconds since 1970 in local time, as Go prints them: up to nine decimals, without zeros at the end."""
    seconds, nanoseconds = divmod(wall, _SECOND)
    local = time.localtime(seconds)
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}{fraction}{_offset(local.tm_gmtoff)}"


def _offset(seconds: int) -> str:
    if not seconds:
        return "Z"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}:{minutes:02d}"
