"""One run of the suite, and measuring: what something cost on the clock and on the CPUs, again and again.

The machine may be busy with other things. So what is to be compared is measured in turns, in one run; the middle one
of several samples counts; and beside the time on the clock stands the CPU time, which others disturb much less.
"""

import math
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from pykubeproxy.host.backend import Backend, find_tools
from pykubeproxy.host.errors import ToolMissing
from pykubeproxy.model.ip import Family

T = TypeVar("T")


class Run(Struct, frozen=True, kw_only=True):
    """How thorough a run is, and with which tools. `say` is given a line whenever something long begins."""

    is_quick: bool
    backends: tuple[Backend, ...]
    say: Callable[[str], None]

    def choose(self, quick: T, thorough: T) -> T:
        """What this run takes of two."""
        return quick if self.is_quick else thorough


def installed_backends() -> tuple[Backend, ...]:
    """The kinds of iptables tools that this machine has."""
    found = []
    for backend in Backend:
        with suppress(ToolMissing):
            find_tools(Family.IPV4, backend)
            found.append(backend)
    return tuple(found)


class Sample(Struct, frozen=True):
    """Seconds on the clock, and seconds of CPU time in user and system mode, child processes included."""

    wall: float
    cpu: float = 0.0


class Timing(Struct, frozen=True):
    """Several samples of the same; seconds on the clock, unless said otherwise."""

    samples: Sequence[Sample]

    @property
    def median(self) -> float:
        """The middle one of all samples."""
        return quantile([sample.wall for sample in self.samples], 0.5)

    @property
    def range(self) -> tuple[float, float]:
        """The shortest and the longest sample."""
        walls = [sample.wall for sample in self.samples]
        return min(walls), max(walls)

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
        with suppress(OSError):
            name, _, rest = stat.read_text(errors="replace").partition(") ")
            if "(kworker" in name:
                ticks += sum(map(int, rest.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_seconds() -> float:
    """CPU seconds that this process, and the children that it has waited for, have used until now."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)
