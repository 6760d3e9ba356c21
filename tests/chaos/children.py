"""The programs that a daemon has started."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process has started, and those that these have."""
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, listed.read_text().split()):
                yield child
                yield from descendants(child)


def restoring(pid: int) -> list[int]:
    """Which of them are iptables-restore itself."""
    return [child for child in descendants(pid) if b"-restore" in _program(child)]


@contextmanager
def killing_restores(pid: int, count: int, random: Random) -> Iterator[list[float]]:
    """During the block, kill up to so many iptables-restore of a daemon; yields after how many seconds each was."""
    is_over = threading.Event()
    kills: list[float] = []

    def kill() -> None:
        while not is_over.is_set() and len(kills) < count:
            for child in restoring(pid):
                delay = random.uniform(0, 0.01)
                with suppress(ProcessLookupError):
                    handle = os.pidfd_open(child)
                    time.sleep(delay)
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    os.close(handle)
                    kills.append(delay)
            is_over.wait(0.001)

    thread = threading.Thread(target=kill, name="kill-restores")
    thread.start()
    try:
        yield kills
    finally:
        is_over.set()
        thread.join()


def _program(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0]
    except OSError:
        return b""
