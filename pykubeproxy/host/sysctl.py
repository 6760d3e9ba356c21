"""Kernel settings below /proc/sys, and the one that is a module's parameter (`lifecycle.md` section 8)."""

import errno
from collections.abc import Iterator
from pathlib import Path

from pykubeproxy.host.errors import HostError, NotPermitted, ReadOnly
from pykubeproxy.plan.sysctls import CONNTRACK_MAX, ConntrackSettings, Sysctl, conntrack_hash_size, conntrack_sysctls

_HASH_SIZE = "sys/module/nf_conntrack/parameters/hashsize"


class SysctlError(HostError):
    """A setting could not be read or written: its path, and why."""


class Sysctls:
    """The settings of this machine, or of the calling thread's network namespace where they belong to one.

    `root` is where /proc and /sys are. With `read_only`, a write that would be needed raises ReadOnly.
    """

    def __init__(self, root: Path = Path("/"), *, read_only: bool = False) -> None:
        self._root = root
        self._read_only = read_only

    def read(self, name: str) -> str:
        """A setting's text without the line end; `name` is below /proc/sys, with slashes. Raises SysctlError."""
        return self._read(self._path(name))

    def ensure(self, setting: Sysctl) -> bool:
        """Make one setting; True if it had another value before. Raises HostError."""
        return self._ensure(self._path(setting.name), setting.value)

    def ensure_conntrack(self, settings: ConntrackSettings, cpus: int) -> tuple[Sysctl, ...]:
        """Make the settings for connection tracking on a machine with `cpus` CPUs, and the hash table fit them.

        Returns the changes. The first failure ends it. Raises HostError.
        """
        changed = []
        for setting in conntrack_sysctls(settings, cpus):
            if self.ensure(setting):
                changed.append(setting)
            if setting.name == CONNTRACK_MAX:
                changed.extend(self._ensure_hash_size(setting.value))
        return tuple(changed)

    def _ensure_hash_size(self, connections: int) -> Iterator[Sysctl]:
        path = self._root / _HASH_SIZE
        current = self._read(path)
        if not current.isdecimal():
            raise SysctlError(f"cannot use {path}: {current!r} is not a number")
        wanted = conntrack_hash_size(connections, int(current))
        if wanted is not None and self._ensure(path, wanted):
            yield Sysctl(_HASH_SIZE, wanted)

    def _path(self, name: str) -> Path:
        return self._root / "proc/sys" / name

    def _read(self, path: Path) -> str:
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            raise SysctlError(f"cannot read {path}: there is no such setting; is the kernel module loaded?") from None
        except OSError as error:
            raise SysctlError(f"cannot read {path}: {error.strerror}") from error

    def _ensure(self, path: Path, value: int) -> bool:
        if self._read(path) == str(value):
            return False
        if self._read_only:
            raise ReadOnly(f"this mode never writes settings; {path} was not set to {value}")
        try:
            path.write_text(f"{value}\n")
        except OSError as error:
            raise _write_error(path, value, error) from error
        return True


def _write_error(path: Path, value: int, error: OSError) -> HostError:
    what = f"cannot set {path} to {value}: {error.strerror}"
    # In a container that is not privileged, /proc/sys and /sys are mounted read-only.
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return NotPermitted(f"{what}: set it beforehand, or run --init-only in a privileged init container")
    return SysctlError(what)
