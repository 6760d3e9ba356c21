"""The parts of one server, as the handler of a request needs them."""

from __future__ import annotations

import threading

from tests.apiserver.faults import Faults
from tests.apiserver.journal import Journal
from tests.apiserver.registry import Registry
from tests.apiserver.store import Store
from tests.apiserver.stream import Pace
from tests.apiserver.watchers import Watchers


class Core:
    """What a server knows, apart from sockets.

    ``patience`` is how long, in seconds, a request waits for a resourceVersion in the future. ``tokens`` are the
    valid bearer tokens. ``stopping`` is set when the server is about to close all connections.
    """

    def __init__(self, registry: Registry, faults: Faults, *, pace: Pace, patience: float) -> None:
        self.registry = registry
        self.faults = faults
        self.pace = pace
        self.patience = patience
        self.journal = Journal()
        self.watchers = Watchers()
        self.tokens: set[str] = set()
        self.stopping = threading.Event()

    @property
    def store(self) -> Store:
        """The objects."""
        return self.registry.store
