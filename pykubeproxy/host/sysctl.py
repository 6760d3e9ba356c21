"""Kernel settings below /proc/sys, and the one that is a module's parameter.

Source: `docs/reference/lifecycle.md` section 8.
"""

import errno
from pathlib import Path

from pykubeproxy.host.errors import HostError, NotPermitted
from pykubeproxy.plan.sysctls import Sysctl

_ANYBODY_WRITES = 0o222


class SysctlError(HostError):
    """A setting could not be read or written: its path, and why."""


class InitialNamespaceOnly(SysctlError):
    """A setting that only the machine's first network namespace can change, and this is another one."""


class Sysctls:
    """The settings of this machine, or of the calling thread's network namespace where they belong to one.

    `root` is where /proc and /sys are. With `read_only`, nothing is written.
    """

    def __init__(self, root: Path = Path("/"), *, read_only: bool = False) -> None:
        self._root = root
        self.read_only = read_only

    def read(self, name: str) -> str:
        """A setting's text without the line end; `name` is that of a Sysctl. Raises SysctlError."""
        return _read(self._path(name))

    def ensure(self, setting: Sysctl) -> bool:
        """Make one setting, unless its current value meets it; True if it is changed, or would be. Raises HostError."""
        path = self._path(setting.name)
        current = _read(path)
        if not current.isdecimal():
            raise SysctlError(f"cannot use {path}: {current!r} is not a number")
        if setting.is_met_by(int(current)):
            return False
        if not self.read_only:
            try:
                path.write_text(f"{setting.value}\n")
            except OSError as error:
                raise _write_error(path, f"cannot set {path} from {current} to {setting.value}", error) from error
        return True

    def _path(self, name: str) -> Path:
        return self._root / name[1:] if name.startswith("/") else self._root / "proc/sys" / name


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        raise SysctlError(f"cannot read {path}: there is no such setting; is the kernel module loaded?") from None
    except OSError as error:
        raise SysctlError(f"cannot read {path}: {error.strerror}") from error


def _write_error(path: Path, what: str, error: OSError) -> HostError:
    # In a container that is not privileged, /proc/sys and /sys are mounted read-only.
    is_refused = isinstance(error, PermissionError) or error.errno == errno.EROFS
    # In another network namespace than the first, everybody can read the table's size, and nobody can write
    # it (mode 0444, root included), and answers EOPNOTSUPP to who writes the number of its buckets.
    if error.errno == errno.EOPNOTSUPP or (is_refused and path.stat().st_mode & _ANYBODY_WRITES == 0):
        return InitialNamespaceOnly(f"{what}: this can only be done in the machine's first network namespace")
    if is_refused:
        advice = "set it beforehand, or run --init-only in a privileged init container"
        return NotPermitted(f"{what}: {error.strerror}", advice)
    return SysctlError(f"{what}: {error.strerror}")
