"""Asks a pod's server through some address, over TCP with curl, and says what came of it."""

import sys
from enum import StrEnum
from ipaddress import IPv6Address
from pathlib import Path

import msgspec
from msgspec import Struct

from e2e.netns import COMMAND_SECONDS, Namespace
from e2e.topology import Address, Protocol

SOCKET_CLIENT = Path(__file__).with_name("socket_client.py")
NO_ANSWER = 28  # curl's exit status when its time is up, and socket_client.py's


class Fate(StrEnum):
    """What becomes of a connection."""

    ANSWERED = "answered"
    REFUSED = "refused"
    DROPPED = "dropped"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"


class Reply(Struct, frozen=True, kw_only=True):
    """A pod's answer: who answered, where, and which client address it saw."""

    pod: str
    node: str
    client: str
    path: str
    protocol: Protocol
    port: int


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one question, after how many seconds, as the client itself has it.

    `reply` is there if it was answered, `detail` says more if it was not.
    """

    fate: Fate
    seconds: float = 0.0
    reply: Reply | None = None
    detail: str = ""


class Destination(Struct, frozen=True, kw_only=True):
    """Where a question goes."""

    address: Address
    port: int
    protocol: Protocol

    def __str__(self) -> str:
        host = f"[{self.address}]" if isinstance(self.address, IPv6Address) else str(self.address)
        return f"{host}:{self.port}" if self.protocol is Protocol.TCP else f"{host}:{self.port}/{self.protocol.lower()}"


def ask(origin: Namespace, destination: Destination, *, seconds: float, path: str = "/") -> Outcome:
    """Asks once, over a new connection, and waits at most `seconds` for the answer."""
    if destination.protocol is Protocol.TCP:
        command = _curl(destination, path, seconds)
    else:
        command = _socket_client(destination, path, seconds)
    done = origin.exec(command, check=False, seconds=seconds + COMMAND_SECONDS)
    answer, _, said = done.stdout.rpartition("\n")
    took = _seconds(said)
    if done.returncode == 0:
        try:
            return Outcome(fate=Fate.ANSWERED, seconds=took, reply=msgspec.json.decode(answer, type=Reply))
        except msgspec.DecodeError as error:
            return Outcome(fate=Fate.BROKEN, seconds=took, detail=f"not a pod's answer: {error}")
    detail = (done.stderr.strip().splitlines() or [""])[-1]
    return Outcome(fate=_fate(done.returncode, done.stderr), seconds=took, detail=detail)


def _seconds(said: str) -> float:
    """How long a client says that it took, in a line of its own behind the answer; 0 if it did not even begin."""
    return float(said or 0)


def _curl(destination: Destination, path: str, seconds: float) -> list[str]:
    """`--verbose`, since only there curl names the reason for which a connection failed."""
    flags = ["--silent", "--show-error", "--verbose", "--noproxy", "*", "--max-time", f"{seconds:g}"]
    flags += ["--write-out", "\n%{time_total}"]
    return ["curl", *flags, "--header", "Connection: close", f"http://{destination}{path}"]


def _socket_client(destination: Destination, path: str, seconds: float) -> list[str]:
    where = [destination.protocol, str(destination.address), str(destination.port)]
    return [sys.executable, "-IS", str(SOCKET_CLIENT), *where, path, f"{seconds:g}"]


def _fate(status: int, messages: str) -> Fate:
    if status == NO_ANSWER:
        return Fate.DROPPED
    if "Connection refused" in messages:
        return Fate.REFUSED
    if "unreachable" in messages or "No route to host" in messages:
        return Fate.UNREACHABLE
    return Fate.BROKEN
