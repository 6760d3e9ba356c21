"""Which ports of this network namespace processes listen on: the kernel's socket tables (proc_pid_net(5))."""

from collections.abc import Iterator
from pathlib import Path

SOCKETS = Path("/proc/thread-self/net")
"""The tables of the network namespace that the asking thread is in."""

# The state of a socket without a peer: TCP_LISTEN; for UDP, TCP_CLOSE.
_WAITING = {"tcp": "0A", "udp": "07"}


def listening(protocol: str, folder: Path = SOCKETS) -> Iterator[tuple[str, int]]:
    """`address:port` in the kernel's hexadecimal form and the owner's user id, of each listening socket.

    `protocol` is tcp or udp; other protocols, and tables that cannot be read, have no sockets.
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
    """The ports on which a process listens, at any address."""
    return frozenset(int(place.rpartition(":")[2], 16) for place, _ in listening(protocol, folder))
