"""What other threads tell the loop."""

import msgspec

from pykubeproxy.cluster.source import ObjectChanges


class Changed(msgspec.Struct, frozen=True):
    """A source has news."""

    change: ObjectChanges


class Listed(msgspec.Struct, frozen=True):
    """A source has told all objects of some kinds that were there when it started; from now on it tells changes."""

    kinds: frozenset[str]


class Disturbed(msgspec.Struct, frozen=True):
    """Another program has changed rules, perhaps ours. Its name and pid, as far as they are known."""

    program: str = ""
    pid: int = 0

    def __str__(self) -> str:
        return f"{self.program or 'unknown'} (pid {self.pid})" if self.pid else self.program or "unknown"


class Failed(msgspec.Struct, frozen=True):
    """The program cannot go on, for the reason in `text`."""

    text: str


Message = Changed | Listed | Disturbed | Failed

# The kinds of objects that a source tells.
SERVICES_AND_SLICES = frozenset({"Service", "EndpointSlice"})
# Something else that the first sync may have to wait for, named among the kinds.
POD_CIDRS = "pod CIDRs of this node"

ALL_KINDS = SERVICES_AND_SLICES | {"Node"}
