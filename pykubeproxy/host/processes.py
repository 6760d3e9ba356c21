"""The Service proxies among the processes that /proc shows: those of this PID namespace and of its children."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pykubeproxy.explain.status.node_state import EndedProcess, ProxyProcess

# Programs that write rules for Services, by the name of their file, and the argument that makes them do so.
_SERVICE_PROXIES = {"kube-proxy": None, "pykubeproxy": "run", "kube-router": None}

# An interpreter or a wrapper comes before the program itself.
_BEFORE_THE_PROGRAM = 2

# proc_pid_stat(5), counted behind the program's name: what the process does, its parent, and when it was started, in
# clock ticks since boot.
_STATE, _PARENT, _START_TIME = 0, 1, 19
_ZOMBIE = "Z"

# Seconds in which a program that was started says so; the clock may have been set since.
_SAME_START = 30.0


def other_service_proxies(proc: Path = Path("/proc")) -> tuple[str, ...]:
    """The Service proxies of this network namespace but the calling process: command and pid of each."""
    return tuple(process.title for process in service_proxies(proc) if process.is_here)


def service_proxies(proc: Path = Path("/proc")) -> tuple[ProxyProcess, ...]:
    """The Service proxies but the calling process that are in this network namespace, or may be.

    Only root can read the namespace of other users' processes.
    """
    return tuple(process for process in _service_proxies(proc) if process.is_here is not False)


def ended_proxies(proc: Path = Path("/proc")) -> tuple[EndedProcess, ...]:
    """The Service proxies that have ended, and that their parents have not waited for.

    A process that has ended has no command line and no network namespace any more: the first 15 bytes of its program's
    name tell what it was, which is `python` after `python -m`, and its parent's namespace stands for its own.
    """
    return tuple(_ended_proxies(proc))


def process_at(pid: int, started_at: float, proc: Path = Path("/proc")) -> ProxyProcess | None:
    """The process with this pid, whatever its name; None if there is none, or if it was started at another time.

    `started_at`, in seconds since 1970, tells it from a process with the same pid in another PID namespace.
    """
    try:
        command = tuple((proc / str(pid) / "cmdline").read_text(errors="replace").split("\0")[:-1])
    except OSError:
        return None
    found = _started_at(proc, _stat(proc / str(pid)))
    if found is None or abs(found - started_at) > _SAME_START:
        return None
    return ProxyProcess(pid=pid, name=command[0] if command else "", command=command, started_at=found)


def _service_proxies(proc: Path) -> Iterator[ProxyProcess]:
    """All Service proxies that /proc shows. A process may end while it is being read."""
    own = (proc / "thread-self/ns/net").stat().st_ino
    for pid in _pids(proc):
        if pid == os.getpid():
            continue
        with suppress(OSError):
            command = (proc / str(pid) / "cmdline").read_text(errors="replace").split("\0")[:-1]
            name = _service_proxy(command)
            if name is not None:
                fields = _stat(proc / str(pid))
                yield ProxyProcess(
                    pid=pid,
                    name=name,
                    command=tuple(command),
                    started_at=_started_at(proc, fields),
                    is_here=_is_in(proc / str(pid), own),
                    state="".join(fields[_STATE : _STATE + 1]),
                )


def _ended_proxies(proc: Path) -> Iterator[EndedProcess]:
    own = (proc / "thread-self/ns/net").stat().st_ino
    for pid in _pids(proc):
        with suppress(OSError):
            name = (proc / str(pid) / "comm").read_text(errors="replace").rstrip("\n")
            fields = _stat(proc / str(pid)) if name in _SERVICE_PROXIES else []
            if fields[_STATE : _STATE + 1] == [_ZOMBIE]:
                parent = proc / fields[_PARENT]
                if _is_in(parent, own) is not False:
                    title = (parent / "comm").read_text(errors="replace").rstrip("\n")
                    yield EndedProcess(pid=pid, name=name, parent_pid=int(parent.name), parent_name=title)


def _pids(proc: Path) -> list[int]:
    return sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal())


def _service_proxy(command: list[str]) -> str | None:
    """The program's name, if a command runs a Service proxy."""
    for position, word in enumerate(command[: _BEFORE_THE_PROGRAM + 1]):
        name = word.rpartition("/")[2]
        if name in _SERVICE_PROXIES:
            argument = _SERVICE_PROXIES[name]
            return name if argument is None or argument in command[position + 1 : position + 2] else None
    return None


def _is_in(process: Path, namespace: int) -> bool | None:
    try:
        return (process / "ns/net").stat().st_ino == namespace
    except PermissionError:
        return None


def _stat(process: Path) -> list[str]:
    """The fields of proc_pid_stat(5) behind the program's name; none if they cannot be read."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started_at(proc: Path, fields: list[str]) -> float | None:
    """When a process with these fields was started, in seconds since 1970; None if /proc does not show it."""
    try:
        booted = next(line for line in (proc / "stat").read_text().splitlines() if line.startswith("btime "))
        return int(booted.split()[1]) + int(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return None
