"""Measuring: what something cost on the clock and on the CPUs, again and again, and the figures that this amounts to.

The machine may be busy with other things. So what is to be compared is measured in turns, in one run; the middle one
of several samples counts; and beside the time on the clock stands the CPU time, which others disturb much less.
"""

import math
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct


class Sample(Struct, frozen=True):
    """Seconds on the clock, and seconds of CPU time in user and system mode, child processes included."""

    wall: float
    cpu: float = 0.0


class Timing(Struct, frozen=True):
    """Several samples of the same."""

    samples: tuple[Sample, ...]

    @property
    def median(self) -> float:
        """Seconds on the clock, the middle one of all samples."""
        return quantile([sample.wall for sample in self.samples], 0.5)

    @property
    def p99(self) -> float:
        """Seconds on the clock that 99 of 100 samples do not exceed."""
        return quantile([sample.wall for sample in self.samples], 0.99)

    @property
    def low(self) -> float:
        """The shortest sample's seconds on the clock."""
        return min(sample.wall for sample in self.samples)

    @property
    def high(self) -> float:
        """The longest sample's seconds on the clock."""
        return max(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        """Seconds of CPU time, the middle one of all samples."""
        return quantile([sample.cpu for sample in self.samples], 0.5)


def quantile(values: Iterable[float], share: float) -> float:
    """The least of `values` that a `share` of them does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def clocked(action: Callable[[], object]) -> Sample:
    """What calling `action` costs this process and the children that it waits for."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    action()
    return Sample(time.perf_counter() - wall, cpu_seconds() - cpu)


def tool(command: Sequence[str], text: bytes = b"") -> Sample:
    """What a program costs that gets `text` as its input; its output is thrown away. Raises CalledProcessError."""
    return clocked(lambda: subprocess.run(command, input=text, stdout=subprocess.DEVNULL, check=True))


def settle(seconds: float = 30.0) -> None:
    """Wait until the kernel has cleared away what was removed just before, as far as that can be seen.

    A namespace's rules are freed in the background after its removal; that takes the CPU from what comes next.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = _kernel_worker_seconds()
        time.sleep(0.2)
        if _kernel_worker_seconds() - before < 0.05:
            return


def _kernel_worker_seconds() -> float:
    """CPU seconds of the kernel's own threads that work for others, such as the one that removes namespaces."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text(errors="replace").partition(") ")
        except OSError:
            continue
        if "(kworker" in name:
            fields = rest.split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_seconds() -> float:
    """CPU seconds that this process, and the children that it has waited for, have used until now."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)
