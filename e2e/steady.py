"""Continuous traffic: somebody who asks Services all the time, and tells at the end what failed."""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from e2e.asking import Destination
from e2e.netns import LabError, Namespace

CLIENT = Path(__file__).with_name("steady_client.py")
END_SECONDS = 30.0
PAUSE_SECONDS = 0.02


class Failure(Struct, frozen=True, kw_only=True):
    """One question without an answer: to where, why, when (seconds since the epoch), and after how many seconds."""

    failed: str
    why: str
    at: float
    after: float


class Sum(Struct, frozen=True, kw_only=True):
    """What came of the questions to one destination; `slowest` in seconds, `pods` says who answered how often."""

    to: str
    asked: int
    failed: int
    slowest: float
    pods: dict[str, int]


class Tally(Struct, kw_only=True):
    """What came of all questions; complete once the traffic has ended."""

    failures: tuple[Failure, ...] = ()
    sums: tuple[Sum, ...] = ()

    @property
    def asked(self) -> int:
        """How many questions were asked."""
        return sum(each.asked for each in self.sums)


@contextmanager
def steady_traffic(
    origin: Namespace,
    destinations: Sequence[Destination],
    *,
    kept: Sequence[Destination] = (),
    interval: float = 0.02,
    seconds: float = 3.0,
) -> Iterator[Tally]:
    """Ask all destinations during the block, over new connections, and those in `kept` over one each.

    A question is asked every `interval` seconds per destination, and must be answered within `seconds`. The block
    begins when each has been asked once; the tally is filled in at its end. Raises LabError if the client breaks.
    """
    texts = [*map(_text, destinations), *(f"{_text(each)}/kept" for each in kept)]
    tally = Tally()
    with tempfile.TemporaryFile("w+") as output:
        command = [sys.executable, "-IS", str(CLIENT), str(seconds), str(interval), *texts]
        process = origin.popen(command, stdout=output)
        deadline = time.monotonic() + END_SECONDS
        while "ready\n" not in _content(output.fileno()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"steady traffic to {', '.join(texts)} did not begin")
            time.sleep(PAUSE_SECONDS)
        try:
            yield tally
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(END_SECONDS)
        _fill(tally, _content(output.fileno()))


def _content(handle: int) -> str:
    return Path(f"/proc/self/fd/{handle}").read_text()


def _fill(tally: Tally, output: str) -> None:
    lines = [line for line in output.splitlines() if line.startswith("{")]
    tally.failures = tuple(msgspec.json.decode(line, type=Failure) for line in lines if line.startswith('{"failed"'))
    tally.sums = tuple(msgspec.json.decode(lines[-1], type=dict[str, tuple[Sum, ...]])["sums"])


def _text(destination: Destination) -> str:
    return f"{destination.protocol}/{destination.address}/{destination.port}"
