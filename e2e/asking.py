"""Asks pods' servers from places of a lab: once, from a process that stays there, or all the time."""

import select
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from ipaddress import IPv6Address
from pathlib import Path
from typing import IO, cast

import msgspec
from msgspec import Struct

from e2e.netns import COMMAND_SECONDS, LabError, Namespace
from e2e.topology import Address, Protocol

CLIENT = Path(__file__).with_name("client.py")
NO_ANSWER = 28  # curl's exit status when its time is up
PAUSE_SECONDS = 0.02
STEADY_SECONDS = 3.0  # within which a question of steady traffic must be answered


class Fate(StrEnum):
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
    address: Address
    port: int
    protocol: Protocol

    def __str__(self) -> str:
        host = f"[{self.address}]" if isinstance(self.address, IPv6Address) else str(self.address)
        return f"{host}:{self.port}" if self.protocol is Protocol.TCP else f"{host}:{self.port}/{self.protocol.lower()}"


def ask(origin: Namespace, destination: Destination, seconds: float) -> Outcome:
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


class Failure(Struct, frozen=True, kw_only=True):
    """One question without an answer: to where, why, when (seconds since the epoch), and after how many seconds."""

    failed: str
    why: str
    at: float
    after: float


class Tally(Struct, kw_only=True):
    """What came of all questions, and which pods answered; complete once the traffic has ended."""

    failures: list[Failure] = []
    asked: int = 0
    pods: set[str] = set()


@contextmanager
def steady_traffic(
    asked: Mapping[Namespace, Sequence[Destination]], *, kept: bool = False, interval: float = 0.02
) -> Iterator[Tally]:
    """Ask all the time during the block, from here to there, over new connections and with `kept` also over kept ones.

    A question is asked every `interval` seconds for each. The block begins when each has been asked once; the tally is
    complete at its end. Raises LabError if a client breaks.
    """
    tally = Tally()
    with ExitStack() as clients:
        for origin, destinations in asked.items():
            texts = [f"{each.protocol}/{each.address}/{each.port}" for each in destinations]
            texts += [f"{text}/kept" for text in texts] if kept else []
            clients.enter_context(_asking(origin, texts, interval, tally))
        yield tally


@contextmanager
def _asking(origin: Namespace, texts: Sequence[str], interval: float, tally: Tally) -> Iterator[None]:
    with tempfile.NamedTemporaryFile("w+") as output:
        content = Path(output.name)
        process = origin.popen(
            [sys.executable, "-IS", str(CLIENT), str(STEADY_SECONDS), str(interval), *texts], stdout=output
        )
        deadline = time.monotonic() + COMMAND_SECONDS
        while "ready\n" not in content.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"steady traffic to {', '.join(texts)} did not begin")
            time.sleep(PAUSE_SECONDS)
        try:
            yield
        finally:
            cast("IO[str]", process.stdin).close()
            process.wait(COMMAND_SECONDS)
        *lines, last = content.read_text().splitlines()
        tally.failures += [msgspec.json.decode(line, type=Failure) for line in lines if line != "ready"]
        total = msgspec.json.decode(last, type=Tally)
        tally.asked += total.asked
        tally.pods |= total.pods
