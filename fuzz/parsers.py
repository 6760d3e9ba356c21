"""Everything that reads bytes from elsewhere: it says what it is meant to say, in bounded time and memory.

Each target takes any bytes. It may raise the errors that it declares, and nothing else.
"""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from fuzz.findings import Finding
from fuzz.mutation import inputs

# Seconds of computing for one input of at most 64 KB, and bytes that the process may grow by meanwhile.
LONGEST_SECONDS = 5.0
MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Target:
    """A parser: what it is called, what it reads, inputs that it accepts, and the errors that it may raise."""

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...] = field(repr=False)
    errors: tuple[type[Exception], ...] = ()


def check_parser(target: Target, number: int, count: int) -> None:
    """Give a target `count` inputs, made from a number. Raises Finding with the first one that it cannot bear."""
    random = Random(f"{target.name} {number}")
    for _ in range(count):
        data = inputs(target.seeds, random)
        problem = complaint(target, data)
        if problem:
            least = _smaller(target, data)
            raise Finding(f"{target.name}: {complaint(target, least) or problem}\n  input: {least!r}")


def complaint(target: Target, data: bytes) -> str:
    """What is wrong with how a target takes an input; empty if nothing is."""
    try:
        with bounded():
            target.read(data)
    except target.errors as error:
        # Errors reach users as one line.
        return "" if len(str(error).splitlines()) <= 1 else f"{type(error).__name__} of several lines: {error!s:.300}"
    except _Late:
        return f"takes longer than {LONGEST_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001  what it is, is the question
        return f"{type(error).__name__}: {error!s:.300}"
    return ""


class _Late(BaseException):
    """An input took too long."""


@contextmanager
def bounded() -> Iterator[None]:
    """Ends whatever takes too long, and refuses memory to what wants too much of it."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGVTALRM, _late)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MOST_BYTES, before[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _late(_number: int, _frame: FrameType | None) -> None:
    raise _Late


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def _smaller(target: Target, data: bytes) -> bytes:
    """A part of an input that is complained about as well: halves, quarters and so on taken away, one after another."""
    step = len(data) // 2
    tries = 0
    while step and tries < 400:
        start = 0
        while start < len(data) and tries < 400:
            tries += 1
            shorter = data[:start] + data[start + step :]
            if complaint(target, shorter):
                data = shorter
            else:
                start += step
        step //= 2
    return data
