"""Running kubectl: as the user would, with limits for the time and the size of each answer.

Of many commands, at most MOST_AT_ONCE run at the same time. Each has a process group of its own, so that one that takes
too long is ended together with the programs that it has started, such as those that get credentials.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from pykubeproxy.cluster.manifests import SourceError

MOST_AT_ONCE = 32
LIMIT = 64 << 20
"""Bytes that a command may print."""

_CHUNK = 1 << 16

# What a process that was ended may have left behind, beyond its process group, is not waited for any longer.
_SECONDS_TO_END = 1.0


class KubectlError(Exception):
    """kubectl gave no answer that can be used."""


class KubectlMissing(SourceError):
    """There is no such program in PATH, or it cannot be run."""


class NoAnswerInTime(KubectlError):
    """It was ended since it took too long."""


class AnswerTooLong(KubectlError):
    """It was ended since it printed more than LIMIT."""


class Printed(msgspec.Struct, frozen=True, kw_only=True):
    """What a command printed, and its exit status."""

    status: int
    stdout: bytes
    stderr: str


class Kubectl:
    """Runs kubectl with the same `flags` before each command, such as `--context`; made within an event loop."""

    def __init__(self, flags: Sequence[str]) -> None:
        self._flags = tuple(flags)
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    async def run(self, *arguments: str, seconds: float) -> Printed:
        """Run one command for at most so many `seconds`; waiting for others to end does not count.

        Raises KubectlError and KubectlMissing. That the command itself failed is no error: its exit status tells.
        """
        async with self._slots:
            process = await _start(self.command(*arguments))
            # It goes on after the time is over, until the pipes are closed: only then can the process be waited for.
            reading = asyncio.gather(_read(process, process.stdout), _read(process, process.stderr))
            try:
                async with asyncio.timeout(seconds):
                    stdout, stderr = await asyncio.shield(reading)
                    status = await process.wait()
            except TimeoutError:
                raise NoAnswerInTime from None
            finally:
                if process.returncode is None:
                    _kill(process)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_SECONDS_TO_END):
                            await reading
                            await process.wait()
        if len(stdout) > LIMIT or len(stderr) > LIMIT:
            raise AnswerTooLong
        return Printed(status=status, stdout=stdout, stderr=stderr.decode(errors="replace"))

    def command(self, *arguments: str) -> list[str]:
        """The command line of kubectl for some arguments."""
        return ["kubectl", *self._flags, *arguments]


async def _start(command: Sequence[str]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,
        )
    except OSError as error:
        raise KubectlMissing(f"kubectl cannot be run: {error.strerror}") from None


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _read(process: asyncio.subprocess.Process, stream: asyncio.StreamReader | None) -> bytes:
    """All of a stream; of one that is longer than LIMIT a little more than that, and the process is ended."""
    assert stream is not None
    found = bytearray()
    while chunk := await stream.read(_CHUNK):
        if len(found) <= LIMIT:
            found += chunk
            if len(found) > LIMIT:
                _kill(process)
    return bytes(found)
