"""Everything that reads bytes from elsewhere: it says what it is meant to say, in bounded time and memory.

Each target takes any bytes. It may raise the errors that it declares, and nothing else.
"""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.parser_targets import Target, targets

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


@contextmanager
def bounded() -> Iterator[None]:
    """Ends whatever takes too long, and refuses memory to what wants too much of it."""
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGVTALRM, _late)
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_BYTES, before[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _late(_number: int, _frame: FrameType | None) -> None:
    # No parser takes it for an error in its input.
    pytest.fail(f"takes longer than {LONGEST_SECONDS:g} s")


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
@given(st.data())
def test_parsers(target: Target, data: st.DataObject) -> None:
    assert len(error_of(target, data.draw(inputs(target.seeds))).splitlines()) <= 1, "errors reach users as one line"


def error_of(target: Target, data: bytes) -> str:
    try:
        with bounded():
            target.read(data)
    except target.errors as error:
        return str(error)
    return ""
