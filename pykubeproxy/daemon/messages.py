"""What other threads tell the loop."""

import msgspec

from pykubeproxy.cluster.source import ObjectChanges


class SourceChanged(msgspec.Struct, frozen=True):
    """A source has news."""

    change: ObjectChanges


class SourceListed(msgspec.Struct, frozen=True):
    """A source has told all objects of some kinds that were there when it started; from now on it tells changes."""

    kinds: frozenset[str]


class ForeignChange(msgspec.Struct, frozen=True):
    """Another program has changed rules, perhaps ours. Its name and pid, as far as they are known."""

    program: str = ""
    pid: int = 0

    def __str__(self) -> str:
        return f"{self.program or 'unknown'} (pid {self.pid})" if self.pid else self.program or "unknown"


class Stop(msgspec.Struct, frozen=True):
    """The program cannot go on, for the `reason`."""

    reason: str


Message = SourceChanged | SourceListed | ForeignChange | Stop

# The kinds of objects that a source tells.
SERVICES_AND_SLICES = frozenset({"Service", "EndpointSlice"})
# Something else that the first sync may have to wait for, named among the kinds.
POD_CIDRS = "pod CIDRs of this node"

ALL_KINDS = SERVICES_AND_SLICES | {"Node"}
