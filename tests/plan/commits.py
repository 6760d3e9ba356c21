"""Restore input, taken apart."""

from collections.abc import Iterator

from pykubeproxy.plan.payload import Payload


def commits(lines: Payload) -> Iterator[list[str]]:
    """Restore input, COMMIT by COMMIT."""
    part: list[str] = []
    for line in lines:
        part.append(line)
        if line == "COMMIT":
            yield part
            part = []
    assert not part
