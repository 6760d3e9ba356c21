"""How full the kernel's table of connections is."""

import msgspec


class ConntrackUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The number of connections in the table and its `limit`, and how many packets were `dropped` since boot."""

    entries: int
    limit: int
    dropped: int

    @property
    def is_full(self) -> bool:
        """True if no other connection can be added."""
        return 0 < self.limit <= self.entries
