"""The EndpointSlices of the API server for commands that show the same thing again and again, as they are by then."""

import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue

from pykubeproxy.cluster.client import connect
from pykubeproxy.cluster.first_list import LOOK_INTERVAL, why_given_up
from pykubeproxy.cluster.reflector import Reflector
from pykubeproxy.cluster.resources import ENDPOINT_SLICES
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.config.completed import Completed


class FollowedSlices:
    """All EndpointSlices, followed in the background from `start` to `stop`, and again after an outage."""

    def __init__(self, completed: Completed) -> None:
        self._inbox: SimpleQueue[ObjectChanges] = SimpleQueue()
        self._listed = threading.Event()
        client = connect(completed.config.client_connection, completed.master)
        client.outage.log_nothing()
        self._server = client.server
        self._reflector = Reflector(
            client, ENDPOINT_SLICES, on_change=self._inbox.put, on_listed=lambda _: self._listed.set()
        )

    def start(self, patience: float) -> str:
        """Begin, and wait until all are listed; return why that is given up (see first_list), or ""."""
        self._reflector.start()
        begun = time.monotonic()
        while not self._listed.wait(LOOK_INTERVAL):
            why = why_given_up([self._reflector], self._server, time.monotonic() - begun, patience)
            if why:
                return why
        return ""

    def changes(self) -> Iterator[ObjectChanges]:
        """What has changed since the last call."""
        while True:
            try:
                yield self._inbox.get_nowait()
            except Empty:
                return

    def stop(self) -> None:
        """End the thread."""
        self._reflector.stop()
