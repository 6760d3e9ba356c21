"""Restore input, taken apart."""

from collections.abc import Iterable, Iterator


def commits(lines: Iterable[str]) -> Iterator[list[str]]:
    """Restore input, COMMIT by COMMIT."""
    part: list[str] = []
    for line in lines:
        part.append(line)
        if line == "COMMIT":
            yield part
            part = []
    assert not part
