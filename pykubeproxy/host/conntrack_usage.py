"""How full the kernel's table of connections is. Once it is full, packets that begin a connection are dropped.

Source: `nf_conntrack-sysctl.rst` of the kernel's documentation (nf_conntrack_count, nf_conntrack_max), and the columns
of /proc/net/stat/nf_conntrack, of which `drop` counts packets that were dropped because the table was full.
"""

from pathlib import Path

from pykubeproxy.model.conntrack_usage import ConntrackUsage

# What the calling thread's network namespace has.
_PROC = Path("/proc/thread-self/net/stat/nf_conntrack")
_SYSCTLS = Path("/proc/sys/net/netfilter")


def conntrack_usage(sysctls: Path = _SYSCTLS, statistics: Path = _PROC) -> ConntrackUsage | None:
    """How full the table is now; None if the kernel has no such table, or it cannot be read."""
    try:
        entries, limit = (int((sysctls / f"nf_conntrack_{name}").read_text()) for name in ("count", "max"))
    except (OSError, ValueError):
        return None
    return ConntrackUsage(entries=entries, limit=limit, dropped=_dropped(statistics))


def _dropped(statistics: Path) -> int:
    """The sum of the column `drop` over all CPUs; 0 where the kernel has no such file. Numbers are hexadecimal."""
    try:
        head, *rows = (line.split() for line in statistics.read_text().splitlines())
        return sum(int(row[head.index("drop")], 16) for row in rows)
    except (OSError, ValueError, IndexError):
        return 0
