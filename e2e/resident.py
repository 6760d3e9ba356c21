"""Asks many questions with one process per place, where one process per question would take too long."""

import select
import sys
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import IO, Self, cast

import msgspec

from e2e.asking import SOCKET_CLIENT, Destination, Outcome
from e2e.netns import COMMAND_SECONDS, LabError, Namespace


class Resident:
    """A client that lives in one place. Not for several threads at once; it ends with the lab at the latest."""

    def __init__(self, origin: Namespace) -> None:
        self._name = origin.name
        self._process = origin.popen([sys.executable, "-IS", str(SOCKET_CLIENT)])
        self._numbers = count(1)

    def ask(self, destination: Destination, *, seconds: float) -> Outcome:
        """Ask once, over a new connection, and wait at most `seconds` for the answer."""
        return self.burst(destination, 1, seconds=seconds)[0]

    def burst(self, destination: Destination, times: int, *, seconds: float = 5.0) -> list[Outcome]:
        """Ask over so many new connections, one after the other."""
        return self._put(destination, seconds=seconds, times=times, kept=False)

    def ask_kept(self, destination: Destination, *, seconds: float) -> Outcome:
        """Ask with a datagram from the one socket that is kept for this destination."""
        return self._put(destination, seconds=seconds, times=1, kept=True)[0]

    def close(self) -> None:
        """Leave."""
        with suppress(BrokenPipeError):
            self._pipes()[0].close()
        self._process.wait(COMMAND_SECONDS)

    def _put(self, to: Destination, *, seconds: float, times: int, kept: bool) -> list[Outcome]:
        questions, answers = self._pipes()
        where = {"protocol": to.protocol, "address": str(to.address), "port": to.port}
        how = {"path": f"/{next(self._numbers)}", "seconds": seconds, "times": times, "kept": kept}
        with suppress(BrokenPipeError):
            questions.write(msgspec.json.encode(where | how).decode() + "\n")
            questions.flush()
        patience = seconds * times + COMMAND_SECONDS
        if not select.select([answers], [], [], patience)[0]:
            raise LabError(f"{self._name}: {times} questions to {to} took more than {patience:g} s")
        line = answers.readline()
        if not line:
            raise LabError(f"{self._name}: its resident client has ended (status {self._process.poll()})")
        return msgspec.json.decode(line, type=list[Outcome])

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        return cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)


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
        """Ask once from a place, as `asking.ask` does."""
        return self.at(origin).ask(destination, seconds=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for resident in self._residents.values():
            resident.close()
