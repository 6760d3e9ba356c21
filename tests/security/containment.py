"""Runs a program as the DaemonSet's container runtime does: two capabilities, nothing to gain, nothing to write.

    python containment.py LOCK FOLDER... -- PROGRAM [ARGUMENT...]

In a mount namespace of its own all file systems are read-only, /proc/sys and /sys with them. What can be written is a
/tmp in memory, and the file LOCK as /run/xtables.lock. FOLDERs are what the image and the ConfigMap would have: they
can be read even if they lie below /tmp. The user namespace stays the machine's.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CAPABILITIES = ("net_admin", "net_raw")
TMP = Path("/tmp")  # noqa: S108  the mount point
LOCK = Path("/run/xtables.lock")
_STAGE = Path("/mnt")


def argv(lock: Path, folders: Sequence[Path], program: Sequence[str]) -> list[str]:
    """The command line that runs `program` like this."""
    here = [sys.executable, "-IS", __file__, str(lock), *map(str, folders)]
    return ["unshare", "--mount", "--propagation", "private", *here, "--", *program]


def privileges() -> list[str]:
    """The command that gives up all but the two capabilities, for itself and for whatever it starts."""
    kept = ",".join(f"+{name}" for name in CAPABILITIES)
    sets = ["--bounding-set", f"-all,{kept}", "--inh-caps", "-all", "--ambient-caps", "-all"]
    return ["setpriv", *sets, "--no-new-privs"]


def main() -> None:
    """Contain this process, which is alone in its mount namespace, and become the program."""
    bar = sys.argv.index("--")
    lock, *folders = map(Path, sys.argv[1:bar])
    _put_in_place_of_tmp(folders)
    _put_in_place_of_run(lock)
    _mount("--bind", "/proc/sys", "/proc/sys")
    for point in _visible_mount_points():
        if point not in (TMP, LOCK, Path("/proc")):
            _mount("-o", "remount,bind,ro", str(point))
    # No container inherits where the lock of these tests is.
    os.environ.pop("XTABLES_LOCKFILE", None)
    command = [*privileges(), *sys.argv[bar + 1 :]]
    os.execvp(command[0], command)  # noqa: S606  that is what it is for


def _put_in_place_of_tmp(folders: Sequence[Path]) -> None:
    _mount("-t", "tmpfs", "-o", "mode=1777,size=16m", "tmpfs", str(_STAGE))
    for folder in folders:
        if folder.is_relative_to(TMP):
            place = _STAGE / folder.relative_to(TMP)
            place.mkdir(parents=True, exist_ok=True)
            _mount("--bind", str(folder), str(place))
    _mount("--move", str(_STAGE), str(TMP))


def _put_in_place_of_run(lock: Path) -> None:
    # Somebody else's network namespaces, which could not be removed while they are mounted here.
    subprocess.run(["umount", "--recursive", "--lazy", "/run/netns"], stderr=subprocess.DEVNULL, check=False)
    _mount("-t", "tmpfs", "-o", "mode=755,size=1m", "tmpfs", str(LOCK.parent))
    LOCK.touch()
    _mount("--bind", str(lock), str(LOCK))


def _visible_mount_points() -> list[Path]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = dict.fromkeys(Path(line.split()[4].encode().decode("unicode_escape")) for line in lines)
    return [point for point in points if point.exists()]


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main()
