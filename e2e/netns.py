"""One network namespace: made with `ip netns`, used through argv lists only, and removed with all that runs in it."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from msgspec import Struct

NAMESPACES = Path("/run/netns")
SYSCTLS = Path("/proc/sys/net")
COMMAND_SECONDS = 30.0
STOP_SECONDS = 5.0
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """The lab could not be built or used: one line that says what, where and why."""


class Processes:
    """Starts programs and remembers them, so that all can be stopped at the end.

    A program is also killed by the kernel when the thread that started it dies (PR_SET_PDEATHSIG): so even a lab that
    is killed with SIGKILL leaves no program behind. Start programs from the main thread for that reason.
    """

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(
        self, argv: Sequence[str], *, stdout: IO[str] | int | None, stderr: IO[str] | int | None
    ) -> subprocess.Popen[str]:
        """Starts `argv` with a pipe as its standard input, which stays open until the program is stopped.

        It gets a session of its own: Ctrl-C on the terminal is for the lab, which then stops its programs in order.
        """
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr, text=True, start_new_session=True
        )
        self._started.append(process)
        return process

    def stop_all(self) -> None:
        """Asks every program to end, waits a few seconds, then kills the rest; closes their pipes."""
        for process in self._started:
            process.terminate()
        for process in self._started:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        self._started.clear()


class Namespace(Struct, frozen=True, kw_only=True):
    """A handle on a namespace of this machine; `name` is its full name, unique to the run."""

    name: str
    processes: Processes

    def argv(self, command: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *command]

    def exec(
        self, command: Sequence[str], *, stdin: str = "", check: bool = True, seconds: float = COMMAND_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Runs `command` in here to its end. Raises LabError if `check` and it fails, or if it takes too long."""
        return _run(self.argv(command), stdin=stdin, check=check, seconds=seconds)

    def popen(
        self,
        command: Sequence[str],
        *,
        stdout: IO[str] | int | None = subprocess.PIPE,
        stderr: IO[str] | int | None = None,
    ) -> subprocess.Popen[str]:
        """Starts `command` in here; it is stopped with the lab, or killed with the thread that started it."""
        tied = ["setpriv", "--pdeathsig", "KILL", *command]
        return self.processes.start(self.argv(tied), stdout=stdout, stderr=stderr)

    def ip(self, lines: Iterable[str]) -> None:
        _run(["ip", "-netns", self.name, "-batch", "-"], stdin="\n".join(lines) + "\n")

    def set_sysctls(self, value: int, keys: Iterable[str]) -> None:
        """Writes one value to several keys such as `ipv4/ip_forward`; sysctl(8) is not on every machine, tee is."""
        self.exec(["tee", *(str(SYSCTLS / key) for key in keys)], stdin=f"{value}\n")


def enter(name: str) -> None:
    """Move the calling thread into a namespace: os.setns came with Python 3.12 only."""
    handle = os.open(NAMESPACES / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(handle, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter network namespace {name}")
    finally:
        os.close(handle)


def create(name: str) -> None:
    _run(["ip", "netns", "add", name])
    _run(["ip", "-netns", name, "link", "set", "lo", "up"])


def remove(name: str) -> None:
    """Kills whatever still runs in the namespace, then deletes it, and with it interfaces, rules and connections."""
    deadline = time.monotonic() + COMMAND_SECONDS
    while running := pids(name):
        if time.monotonic() > deadline:
            raise LabError(f"network namespace {name}: processes {running} do not end")
        for pid in running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    _run(["ip", "netns", "delete", name])


def pids(name: str) -> list[int]:
    return [int(pid) for pid in _run(["ip", "netns", "pids", name]).stdout.split()]


def existing(prefix: str) -> list[str]:
    if not NAMESPACES.is_dir():
        return []
    return sorted(path.name for path in NAMESPACES.iterdir() if path.name.startswith(prefix))


def _run(
    argv: Sequence[str], *, stdin: str = "", check: bool = True, seconds: float = COMMAND_SECONDS
) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no end after {seconds:g} s: {' '.join(argv)}") from error
    except OSError as error:
        raise LabError(f"cannot run {argv[0]}: {error.strerror}") from error
    if check and done.returncode != 0:
        reason = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise LabError(f"{' '.join(argv)}: {reason[-1]}")
    return done
