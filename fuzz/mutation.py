"""Bytes that are almost what a parser expects: valid inputs, cut, joined, repeated and spoilt; and pure noise."""

from collections.abc import Callable, Sequence
from random import Random

LONGEST = 1 << 16

# What trips parsers of any kind.
TOKENS = (
    b"\x00",
    b"\n",
    b"\r\n",
    b"\\",
    b'"',
    b"'",
    b"\xff\xfe",
    b"\xc3\x28",
    "\u2028".encode(),
    "\U0001f4a9".encode(),
    b"\xed\xa0\x80",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"9" * 40,
    b"9" * 5000,
    b"65536",
    b"[" * 300,
    b"{" * 300,
    b"]",
    b"}",
    b"---\n",
    b"...",
    b"&a [*a]",
    b"*a",
    b"<<: *a",
    b"!!python/object/apply:os.system ['true']",
    b"!!binary x",
    b"2024-13-45T99:99:99Z",
    b"0001-01-01T00:00:00+23:59",
    b"%s%n",
    b"$(reboot)",
    b"COMMIT\n",
    b"*nat\n",
    b":INPUT - [0:0]\n",
    b"-A INPUT -j ACCEPT\n",
    b"[1:2] ",
)

_Change = Callable[[bytearray, Random, Sequence[bytes]], None]


def inputs(seeds: Sequence[bytes], random: Random) -> bytes:
    """One input: one in ten is noise, the others are mutated seeds."""
    if random.random() < 0.1:
        return random.randbytes(random.choice((0, 1, 4, 16, 100, 2000)))
    data = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 2, 3, 5, 10))):
        random.choice(_CHANGES)(data, random, seeds)
    return bytes(data[:LONGEST])


def _flip(data: bytearray, random: Random, _seeds: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _replace(data: bytearray, random: Random, _seeds: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice((0, 1, 0x20, 0x7F, 0xFF, random.randrange(256)))


def _cut(data: bytearray, random: Random, _seeds: Sequence[bytes]) -> None:
    start, end = _range(data, random)
    del data[start:end]


def _truncate(data: bytearray, random: Random, _seeds: Sequence[bytes]) -> None:
    del data[random.randrange(len(data) + 1) :]


def _repeat(data: bytearray, random: Random, _seeds: Sequence[bytes]) -> None:
    start, end = _range(data, random)
    data[start:start] = data[start:end] * random.choice((1, 2, 20))


def _insert(data: bytearray, random: Random, _seeds: Sequence[bytes]) -> None:
    start = random.randrange(len(data) + 1)
    data[start:start] = random.choice(TOKENS)


def _splice(data: bytearray, random: Random, seeds: Sequence[bytes]) -> None:
    other = bytearray(random.choice(seeds))
    start, end = _range(data, random)
    data[start:end] = other[slice(*_range(other, random))]


def _swap_word(data: bytearray, random: Random, _seeds: Sequence[bytes]) -> None:
    """A word or number in the place of another thing."""
    words = bytes(data).split()
    if words:
        word = random.choice(words)
        start = bytes(data).find(word)
        data[start : start + len(word)] = random.choice((*TOKENS, random.choice(words)))


def _swap_lines(data: bytearray, random: Random, _seeds: Sequence[bytes]) -> None:
    lines = bytes(data).splitlines(keepends=True)
    if len(lines) > 1:
        one, other = random.randrange(len(lines)), random.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
        data[:] = b"".join(lines)


_CHANGES: tuple[_Change, ...] = (
    _flip,
    _replace,
    _cut,
    _truncate,
    _repeat,
    _insert,
    _insert,
    _splice,
    _swap_word,
    _swap_word,
    _swap_lines,
)


def _range(data: bytearray, random: Random) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(start + random.choice((1, 2, 4, 16, 100)), len(data))
