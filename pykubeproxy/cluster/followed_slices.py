"""The EndpointSlices of the API server for commands that show the same thing again and again, as they are by then."""

import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue

from pykubeproxy.cluster.client import connect
from pykubeproxy.cluster.reflector import Reflector
from pykubeproxy.cluster.resources import ENDPOINT_SLICES
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.config.completed import Completed

# Seconds for the first list, where nothing fails, and between two looks at whether something does.
_LIST_TIMEOUT = 10.0
_LOOK_INTERVAL = 0.2


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

    def start(self, failing_timeout: float) -> str:
        """Begin, and wait until all are listed; return why they are not after so many seconds of errors, or "".

        A connection may take as many seconds.
        """
        self._reflector.start()
        begun = time.monotonic()
        while not self._listed.wait(_LOOK_INTERVAL):
            error = self._reflector.error
            if self._reflector.connecting_for > failing_timeout:
                return f"{self._server}: no connection in time"
            if time.monotonic() - begun > (failing_timeout if error else _LIST_TIMEOUT):
                return error or f"{self._server}: no answer in time"
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
