"""Asks pods' servers from places of a lab: once, from a process that stays there, or all the time."""

import select
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from ipaddress import IPv6Address
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

import msgspec
from msgspec import Struct

from e2e.netns import COMMAND_SECONDS, LabError, Namespace
from e2e.topology import Address, Protocol

CLIENT = Path(__file__).with_name("client.py")
NO_ANSWER = 28  # curl's exit status when its time is up
PAUSE_SECONDS = 0.02


class Fate(StrEnum):
    """What becomes of a connection."""

    ANSWERED = "answered"
    REFUSED = "refused"
    DROPPED = "dropped"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"


class Reply(Struct, frozen=True, kw_only=True):
    """A pod's answer: who answered, which client address it saw, and at which of its ports."""

    pod: str
    client: str
    port: int


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one question, after how many seconds, as the client itself has it.

    `reply` is there if it was answered, `detail` says more if it was not.
    """

    fate: Fate
    seconds: float = 0.0
    reply: Reply | None = None
    detail: str = ""

    @property
    def who(self) -> str:
        """The pod that has answered, or else what became of the question."""
        return self.reply.pod if self.reply else self.fate


class Destination(Struct, frozen=True, kw_only=True):
    """Where a question goes."""

    address: Address
    port: int
    protocol: Protocol

    def __str__(self) -> str:
        host = f"[{self.address}]" if isinstance(self.address, IPv6Address) else str(self.address)
        return f"{host}:{self.port}" if self.protocol is Protocol.TCP else f"{host}:{self.port}/{self.protocol.lower()}"


def ask(origin: Namespace, destination: Destination, *, seconds: float) -> Outcome:
    """Asks once, over a new connection, and waits at most `seconds` for the answer: over TCP with curl."""
    if destination.protocol is not Protocol.TCP:
        question = _question(destination, seconds=seconds, times=1, kept=False)
        done = origin.exec([sys.executable, "-IS", str(CLIENT)], stdin=question, seconds=seconds + COMMAND_SECONDS)
        return msgspec.json.decode(done.stdout, type=list[Outcome])[0]
    # Only with `--verbose` curl names the reason for which a connection failed.
    flags = ["--silent", "--show-error", "--verbose", "--noproxy", "*", "--max-time", f"{seconds:g}"]
    flags += ["--write-out", "\n%{time_total}", "--header", "Connection: close"]
    done = origin.exec(["curl", *flags, f"http://{destination}/"], check=False, seconds=seconds + COMMAND_SECONDS)
    answer, _, took = done.stdout.rpartition("\n")
    if done.returncode == 0:
        reply = msgspec.json.decode(answer, type=Reply)
        return Outcome(fate=Fate.ANSWERED, seconds=float(took), reply=reply)
    detail = (done.stderr.strip().splitlines() or [""])[-1]
    return Outcome(fate=_fate(done.returncode, done.stderr), seconds=float(took or 0), detail=detail)


def _fate(status: int, messages: str) -> Fate:
    if status == NO_ANSWER:
        return Fate.DROPPED
    if "Connection refused" in messages:
        return Fate.REFUSED
    if "unreachable" in messages or "No route to host" in messages:
        return Fate.UNREACHABLE
    return Fate.BROKEN


def _question(to: Destination, *, seconds: float, times: int, kept: bool) -> str:
    where = {"protocol": to.protocol, "address": str(to.address), "port": to.port}
    return msgspec.json.encode(where | {"seconds": seconds, "times": times, "kept": kept}).decode() + "\n"


class Resident:
    """A client that lives in one place. Not for several threads at once; it ends with the lab at the latest."""

    def __init__(self, origin: Namespace) -> None:
        self._name = origin.name
        self._process = origin.popen([sys.executable, "-IS", str(CLIENT)])

    def put(self, to: Destination, times: int = 1, *, seconds: float = 5.0, kept: bool = False) -> list[Outcome]:
        """Ask over so many new connections, one after the other, or from the socket that is kept for it."""
        questions, answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        with suppress(BrokenPipeError):
            questions.write(_question(to, seconds=seconds, times=times, kept=kept))
            questions.flush()
        patience = seconds * times + COMMAND_SECONDS
        if not select.select([answers], [], [], patience)[0]:
            raise LabError(f"{self._name}: {times} questions to {to} took more than {patience:g} s")
        line = answers.readline()
        if not line:
            raise LabError(f"{self._name}: its resident client has ended (status {self._process.poll()})")
        return msgspec.json.decode(line, type=list[Outcome])

    def close(self) -> None:
        """Leave."""
        with suppress(BrokenPipeError):
            cast("IO[str]", self._process.stdin).close()
        self._process.wait(COMMAND_SECONDS)


class Residents:
    """The resident clients of a lab: one in each place from which something is asked."""

    def __init__(self) -> None:
        self._residents: dict[str, Resident] = {}

    def at(self, origin: Namespace) -> Resident:
        """The client in that place, which moves in if there is none."""
        if origin.name not in self._residents:
            self._residents[origin.name] = Resident(origin)
        return self._residents[origin.name]

    def ask(self, origin: Namespace, destination: Destination, *, seconds: float) -> Outcome:
        """Ask once from a place, as the function `ask` does."""
        return self.at(origin).put(destination, seconds=seconds)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for resident in self._residents.values():
            resident.close()


class Failure(Struct, frozen=True, kw_only=True):
    """One question without an answer: to where, why, when (seconds since the epoch), and after how many seconds."""

    failed: str
    why: str
    at: float
    after: float


class Tally(Struct, kw_only=True):
    """What came of all questions, and which pods answered; complete once the traffic has ended."""

    failures: tuple[Failure, ...] = ()
    asked: int = 0
    pods: frozenset[str] = frozenset()


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
    texts = [f"{each.protocol}/{each.address}/{each.port}" for each in (*destinations, *kept)]
    texts = [*texts[: len(destinations)], *(f"{text}/kept" for text in texts[len(destinations) :])]
    tally = Tally()
    with tempfile.NamedTemporaryFile("w+") as output:
        content = Path(output.name)
        command = [sys.executable, "-IS", str(CLIENT), str(seconds), str(interval), *texts]
        process = origin.popen(command, stdout=output)
        deadline = time.monotonic() + COMMAND_SECONDS
        while "ready\n" not in content.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"steady traffic to {', '.join(texts)} did not begin")
            time.sleep(PAUSE_SECONDS)
        try:
            yield tally
        finally:
            cast("IO[str]", process.stdin).close()
            process.wait(COMMAND_SECONDS)
        *lines, last = content.read_text().splitlines()
        tally.failures = tuple(msgspec.json.decode(line, type=Failure) for line in lines if line != "ready")
        total = msgspec.json.decode(last, type=Tally)
        tally.asked, tally.pods = total.asked, total.pods
