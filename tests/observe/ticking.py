"""A clock that goes when it is told to."""

from pykubeproxy.observe.clock import Timestamp

START = 1795350868_000000000


class Ticking:
    """Starts at 2026-11-22T12:34:28Z, and at 1000 on the other clock."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> Timestamp:
        return Timestamp(START + round(self.seconds * 10**9), 1000.0 + self.seconds)
