"""Whether a program has read all that it was given."""

import fcntl
import os
import sys
import termios
from pathlib import Path


def has_read_all(pid: int) -> bool:
    """True if the pipe that is a process's standard input is empty, and the process waits: for more, as it seems.

    So it has dealt with all that it was given, however slow the machine is. Raises OSError if there is no such process.
    """
    return _unread(pid) == 0 and _state(pid) == "S"


def _unread(pid: int) -> int:
    """The number of bytes that wait in the pipe."""
    pipe = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
    finally:
        os.close(pipe)


def _state(pid: int) -> str:
    """`R` for a process that runs, `S` for one that waits (proc_pid_stat(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
