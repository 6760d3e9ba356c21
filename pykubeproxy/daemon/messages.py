"""What other threads tell the loop."""

import msgspec

from pykubeproxy.cluster.source import Change


class Changed(msgspec.Struct, frozen=True):
    """A source has news."""

    change: Change


class Listed(msgspec.Struct, frozen=True):
    """A source has told all objects of some kinds that were there when it started; from now on it tells changes."""

    kinds: frozenset[str]


class Disturbed(msgspec.Struct, frozen=True):
    """Another program has changed rules, perhaps ours; `by` says which one, as far as that is known."""

    by: str


Message = Changed | Listed | Disturbed

# The kinds of objects that a source tells.
SERVICES_AND_SLICES = frozenset({"Service", "EndpointSlice"})
ALL_KINDS = SERVICES_AND_SLICES | {"Node"}
