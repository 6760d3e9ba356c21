"""The messages that other threads put into the queue of the loop, and the error that ends it."""

import msgspec

from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.model.errors import ReportedError


class ObjectsChanged(msgspec.Struct, frozen=True):
    """Objects have changed, as a source (the API server, or manifests) says."""

    change: ObjectChanges


class ObjectsListed(msgspec.Struct, frozen=True):
    """A source has sent all objects of these kinds that there were; it sends only changes from now on."""

    kinds: frozenset[str]


class ForeignChange(msgspec.Struct, frozen=True):
    """Another program has changed rules, perhaps ours; `program` is empty and `pid` 0 if they are not known."""

    program: str = ""
    pid: int = 0

    def __str__(self) -> str:
        return f"{self.program or 'unknown'} (pid {self.pid})" if self.pid else self.program or "unknown"


class Stop(msgspec.Struct, frozen=True):
    """The process has to end, for a `reason` in one line."""

    reason: str


class FatalError(ReportedError):
    """The loop has to end, and the process with it; the text says why, in one line."""


class NotInSync(FatalError):
    """The only sync of `run --once` could not begin in time."""


Message = ObjectsChanged | ObjectsListed | ForeignChange | Stop

# The kinds of objects that a source follows.
SERVICES_AND_SLICES = frozenset({"Service", "EndpointSlice"})
# What the first sync may have to wait for besides the kinds of objects.
POD_CIDRS = "pod CIDRs of this node"

ALL_KINDS = SERVICES_AND_SLICES | {"Node"}
