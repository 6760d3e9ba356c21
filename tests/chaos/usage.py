"""What a running process holds on to, over time: memory, threads, open files."""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a process, `at` seconds after the first one; `memory` is what is resident, in bytes."""

    at: float
    memory: int
    threads: int
    files: int


def look(pid: int, at: float) -> Sample:
    """What a process holds now."""
    proc = Path("/proc", str(pid))
    found = re.search(r"VmRSS:\s+(\d+) kB", (proc / "status").read_text())
    assert found is not None
    threads, files = (len(list((proc / name).iterdir())) for name in ("task", "fd"))
    return Sample(at=at, memory=int(found[1]) * 1024, threads=threads, files=files)


@contextmanager
def watched(pid: int, interval: float) -> Iterator[list[Sample]]:
    """During the block, look at a process every so many seconds."""
    samples: list[Sample] = []
    begun, is_over = time.monotonic(), threading.Event()

    def watch() -> None:
        while not is_over.wait(interval):
            samples.append(look(pid, time.monotonic() - begun))

    thread = threading.Thread(target=watch, name="usage")
    thread.start()
    try:
        yield samples
    finally:
        is_over.set()
        thread.join()


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """The second quarter of some samples beside the last one: in the first, the program is warming up."""

    early: tuple[Sample, ...]
    late: tuple[Sample, ...]

    @property
    def memory(self) -> float:
        """By which factor memory has grown: the middle of one quarter over the middle of the other."""
        return median(each.memory for each in self.late) / median(each.memory for each in self.early)


def least(samples: Sequence[Sample]) -> Sample:
    """The least of everything: what is held between two things to do."""
    return Sample(
        at=samples[-1].at,
        memory=min(each.memory for each in samples),
        threads=min(each.threads for each in samples),
        files=min(each.files for each in samples),
    )


def trend(samples: Sequence[Sample]) -> Trend:
    """Compare two quarters of at least eight samples."""
    quarter = len(samples) // 4
    assert quarter >= 2, "too few samples to compare"
    return Trend(early=tuple(samples[quarter : 2 * quarter]), late=tuple(samples[-quarter:]))
