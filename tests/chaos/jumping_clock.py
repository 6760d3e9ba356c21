"""`pykubeproxy`, whose wall clock is off by as many seconds as the file in CLOCK_FILE says; read at every look at it.

What Python tells of the time is changed, by time.time and time.time_ns; TLS asks the machine itself.
"""

import os
import sys
import time
from pathlib import Path
from unittest.mock import patch

FILE = Path(os.environ["CLOCK_FILE"])
_true_time_ns = time.time_ns


def wrong_time_ns() -> int:
    return _true_time_ns() + int(FILE.read_text()) * 1_000_000_000


if __name__ == "__main__":
    with patch.object(time, "time_ns", wrong_time_ns), patch.object(time, "time", lambda: wrong_time_ns() / 1e9):
        from pykubeproxy.cli.main import main

        sys.exit(main())
