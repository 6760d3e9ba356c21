"""What other threads tell the loop."""

import msgspec

from pykubeproxy.cluster.source import Change


class Changed(msgspec.Struct, frozen=True):
    """A source has news."""

    change: Change


class Ready(msgspec.Struct, frozen=True):
    """A source has told everything that was there when it started; from now on it tells changes."""


class Stop(msgspec.Struct, frozen=True):
    """The process is asked to end."""

    why: str


Message = Changed | Ready | Stop
