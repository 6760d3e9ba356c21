"""The processes of this machine, as far as /proc shows them: those of this PID namespace, and of those below it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Programs that write rules for Services, by the name of their file, and the argument that makes them do so.
_SERVICE_PROXIES = {"kube-proxy": None, "pykubeproxy": "run", "kube-router": None}

# An interpreter or a wrapper comes before the program itself.
_BEFORE_THE_PROGRAM = 2


def other_service_proxies(proc: Path = Path("/proc")) -> tuple[str, ...]:
    """The Service proxies of this network namespace but the calling process: command and pid of each."""
    return tuple(f"{' '.join(command)} (pid {pid})" for pid, command in _neighbours(proc) if _is_service_proxy(command))


def _neighbours(proc: Path) -> Iterator[tuple[int, list[str]]]:
    """Pid and command line of the other processes with the calling thread's network. They may go at any time."""
    own = (proc / "thread-self/ns/net").stat().st_ino
    for process in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()):
        with suppress(OSError):
            if process != os.getpid() and (proc / str(process) / "ns/net").stat().st_ino == own:
                yield process, (proc / str(process) / "cmdline").read_text(errors="replace").split("\0")[:-1]


def _is_service_proxy(command: list[str]) -> bool:
    for position, word in enumerate(command[: _BEFORE_THE_PROGRAM + 1]):
        name = word.rpartition("/")[2]
        if name in _SERVICE_PROXIES:
            argument = _SERVICE_PROXIES[name]
            return argument is None or argument in command[position + 1 : position + 2]
    return False
