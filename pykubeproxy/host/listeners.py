"""Which ports of this network namespace processes listen on: the kernel's socket tables (proc_pid_net(5))."""

from collections.abc import Iterator
from pathlib import Path

SOCKETS = Path("/proc/thread-self/net")
"""The tables of the network namespace that the asking thread is in."""

# The state of a socket that waits for anybody: TCP_LISTEN, and TCP_CLOSE for UDP, which has no other one.
_WAITING = {"tcp": "0A", "udp": "07"}


def listening(protocol: str, folder: Path = SOCKETS) -> Iterator[tuple[str, int]]:
    """`address:port` in the kernel's hexadecimal form and the owner's user id, of each socket that waits for anybody.

    `protocol` is tcp or udp; nothing is known of others, nor of a table that cannot be read.
    """
    for name in (protocol, f"{protocol}6"):
        try:
            lines = (folder / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in map(str.split, lines):
            if row[3] == _WAITING.get(protocol):
                yield row[1], int(row[7])


def listening_ports(protocol: str, folder: Path = SOCKETS) -> frozenset[int]:
    """The ports at which somebody listens, at whatever address."""
    return frozenset(int(place.rpartition(":")[2], 16) for place, _ in listening(protocol, folder))
