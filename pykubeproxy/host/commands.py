"""The commands of the node that the program waits for, so that another thread can tell which one hangs."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import msgspec


class RunningCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is waited for, and since when: `since` on the monotonic clock, `started` in seconds since 1970."""

    command: str
    pid: int
    since: float
    started: float


_running: dict[int, RunningCommand] = {}
_numbers = count()


@contextmanager
def waited_for(command: Sequence[str], pid: int) -> Iterator[None]:
    """The calling thread waits for this process while the block lasts."""
    number = next(_numbers)
    _running[number] = RunningCommand(command=" ".join(command), pid=pid, since=time.monotonic(), started=time.time())
    try:
        yield
    finally:
        del _running[number]


def run_command(command: Sequence[str], text: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command to its end with some input; what it prints is kept. Raises OSError if it cannot be started."""
    with (
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE if text else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="backslashreplace",
        ) as process,
        waited_for(command, process.pid),
    ):
        said, complained = process.communicate(text or None)
    return subprocess.CompletedProcess(command, process.returncode, said, complained)


def running() -> dict[int, RunningCommand]:
    """What is waited for now, each by a number of its own. Any thread may ask."""
    return _running.copy()
