"""Everything that reads bytes from elsewhere: it says what it is meant to say, in bounded time and memory.

Each target takes any bytes. It may raise the errors that it declares, and nothing else.
"""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from hypothesis import strategies as st

from fuzz.findings import Finding

LONGEST = 1 << 16

# What trips parsers of any kind.
# fmt: off
TOKENS = (
    b"\x00", b"\n", b"\r\n", b"\\", b'"', b"'", b"\xff\xfe", b"\xc3\x28", "\u2028".encode(), "\U0001f4a9".encode(),
    b"\xed\xa0\x80", b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"9" * 40, b"9" * 5000, b"65536", b"[" * 300,
    b"{" * 300, b"]", b"}", b"---\n", b"...", b"&a [*a]", b"*a", b"<<: *a",
    b"!!python/object/apply:os.system ['true']", b"!!binary x", b"2024-13-45T99:99:99Z",
    b"0001-01-01T00:00:00+23:59", b"%s%n", b"$(reboot)", b"COMMIT\n", b"*nat\n", b":INPUT - [0:0]\n",
    b"-A INPUT -j ACCEPT\n", b"[1:2] ",
)
# fmt: on

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


@st.composite
def inputs(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Bytes that are almost what a parser expects: valid inputs, cut, joined, repeated and spoilt; or noise."""
    data = bytearray(draw(st.sampled_from(seeds) | st.binary(max_size=2000)))
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.sampled_from((0, 1, 2, 4, 16, 100, LONGEST)))
        parts = st.sampled_from((bytes(data), *seeds)).map(lambda whole, at=start: whole[at : at + 100])  # type: ignore[misc]
        data[start:end] = draw(st.sampled_from(TOKENS) | st.binary(max_size=4) | parts) * draw(st.sampled_from((1, 20)))
    return bytes(data[:LONGEST])


def check_parser(target: Target, data: bytes) -> None:
    """Raises Finding if a target cannot bear an input."""
    problem = complaint(target, data)
    if problem:
        raise Finding(f"{target.name}: {problem}\n  input: {data!r}")


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
