"""The CPUs and the kernel of the machine, and the rights and the OOM score of this process.

Source: `docs/reference/lifecycle.md` section 8.
"""

import os
from contextlib import suppress
from pathlib import Path

from pykubeproxy.host.errors import HostError

_ONLINE = Path("/sys/devices/system/cpu/online")
_STATUS = Path("/proc/self/status")
_CAP_NET_ADMIN = 12
_OOM_SCORE_ADJ = Path("/proc/self/oom_score_adj")


class OomScoreError(HostError):
    """The OOM score adjustment of this process could not be changed."""


def online_cpus(path: Path = _ONLINE) -> int:
    """The number of CPUs that are online, of the whole machine; failing that, of those this process may use."""
    try:
        return sum(_length(part) for part in path.read_text().strip().split(","))
    except (OSError, ValueError):
        return os.cpu_count() or 1


def kernel_release() -> str:
    """The release of the kernel, such as `6.1.0-18-amd64`."""
    return os.uname().release


def may_change_network(path: Path = _STATUS) -> bool:
    """True if this process has CAP_NET_ADMIN (capabilities(7)), or if that cannot be found out."""
    with suppress(OSError, ValueError, IndexError):
        capabilities = int(path.read_text().partition("\nCapEff:")[2].split()[0], 16)
        return bool(capabilities & 1 << _CAP_NET_ADMIN)
    return True


def set_oom_score_adj(score: int, path: Path = _OOM_SCORE_ADJ) -> None:
    """Set this process's score adjustment, -1000 (never kill) to 1000. Raises OomScoreError.

    Source: proc(5), oom_score_adj. kube-proxy tries again after 0.1 s. That helps nobody who lacks the right, and
    would delay the first sync.
    """
    try:
        path.write_text(f"{score}\n")
    except OSError as error:
        raise OomScoreError(f"cannot set {path} to {score}: {error.strerror}: CAP_SYS_RESOURCE is needed") from error


def _length(part: str) -> int:
    """The length of a range such as `0-3`, or 1 for a single CPU."""
    first, _, last = part.partition("-")
    return int(last or first) - int(first) + 1
