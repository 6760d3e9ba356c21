"""`pykubeproxy`, whose wall clock is off by as many seconds as the file in CLOCK_FILE says; read at every look at it.

What Python tells of the time is changed, by time.time and time.time_ns; TLS asks the machine itself.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

FILE = Path(os.environ["CLOCK_FILE"])
_true_time_ns = time.time_ns


def offset() -> int:
    with suppress(OSError, ValueError):
        return int(FILE.read_text())
    return 0


def wrong_time_ns() -> int:
    return _true_time_ns() + offset() * 1_000_000_000


def wrong_time() -> float:
    return wrong_time_ns() / 1e9


if __name__ == "__main__":
    with patch.object(time, "time_ns", wrong_time_ns), patch.object(time, "time", wrong_time):
        from pykubeproxy.cli.main import main

        sys.exit(main())
