"""Objects from the API server: a reflector for each kind sends messages to the loop. Also the Events of kube-proxy."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue

from pykubeproxy import logger
from pykubeproxy.cluster.client import ApiClient, connect
from pykubeproxy.cluster.events import Event, EventRecorder, starting
from pykubeproxy.cluster.first_list import LIST_TIMEOUT, LOOK_INTERVAL, why_given_up
from pykubeproxy.cluster.input_notes import InputNote
from pykubeproxy.cluster.manifests import SourceError
from pykubeproxy.cluster.reflector import Reflector
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, ENDPOINT_SLICES_WITHOUT_PODS, SERVICES, own_node
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.cluster.timeouts import Timeouts
from pykubeproxy.config.completed import Completed
from pykubeproxy.daemon.messages import Message, ObjectsChanged, ObjectsListed
from pykubeproxy.model.snapshot import Object

log = logger.get()

# Seconds that a command that needs objects lets the API server fail.
_PATIENCE = 5.0


# Seconds in which all threads together have to end. One that is connecting may take longer, and ends with the process.
_STOP_SECONDS = 0.5

# Seconds that the process waits for its last Event to be written.
_LAST_EVENT_SECONDS = 2.0


class ApiSource:
    """Follows Services, EndpointSlices and this node's Node object, from `start` to `stop`.

    With `can_stream` False, no streaming list is asked for. With `emits_events` False, nothing is written to the API.
    """

    def __init__(  # noqa: PLR0913  all parts of a source
        self,
        client: ApiClient,
        node_name: str,
        host_name: str,
        inbox: "SimpleQueue[Message]",
        *,
        can_stream: bool = True,
        emits_events: bool = True,
    ) -> None:
        self._inbox = inbox
        self._node_name = node_name
        self._has_node = False
        self._client = client
        self._events = EventRecorder(client, host_name) if emits_events else None
        self._reflectors = {
            resource.kind: Reflector(
                client, resource, on_change=self._changed, on_listed=self._listed, can_stream=can_stream
            )
            for resource in (SERVICES, ENDPOINT_SLICES_WITHOUT_PODS)
        }
        self._reflectors["Node"] = Reflector(
            client,
            own_node(node_name),
            on_change=self._node_changed,
            on_listed=self._node_listed,
            can_stream=can_stream,
        )

    @property
    def errors(self) -> dict[str, str]:
        """The errors because of which objects cannot be followed now, in one line each, by kind of object."""
        return {kind: each.error for kind, each in self._reflectors.items() if each.error is not None}

    @property
    def server(self) -> str:
        """The API server's address, for people."""
        return self._client.server

    @property
    def failing_for(self) -> float | None:
        """Seconds since something keeps us from following; None if nothing does."""
        return self._client.outage.failing_for

    def start(self) -> None:
        """Begin to follow."""
        if self._client.weakness is not None:
            log.warning(
                "the connection to the API server is not secure: its identity is not verified",
                server=self._client.server,
                why=self._client.weakness,
            )
        if self._events is not None:
            self._events.start()
            self._events.emit(starting(self._node_name))
        for reflector in self._reflectors.values():
            reflector.start()

    def stop(self) -> None:
        """End all threads, or leave them behind after half a second."""
        stops = [reflector.stop for reflector in self._reflectors.values()]
        if self._events is not None:
            stops.append(self._events.stop)
        _stop_all(stops)

    def emit(self, event: Event) -> None:
        """Have an Event written some time."""
        if self._events is not None:
            self._events.emit(event)

    def emit_last(self, event: Event) -> None:
        """Have an Event written before the process ends, and wait for that, up to two seconds."""
        if self._events is not None:
            self._events.emit(event)
            self._events.finish(_LAST_EVENT_SECONDS)

    def _changed(self, change: ObjectChanges) -> None:
        self._inbox.put(ObjectsChanged(change))

    def _listed(self, kind: str) -> None:
        self._inbox.put(ObjectsListed(frozenset({kind})))

    def _node_changed(self, change: ObjectChanges) -> None:
        self._has_node |= bool(change.put)
        self._changed(change)

    def _node_listed(self, kind: str) -> None:
        if not self._has_node:
            log.error(
                "there is no Node object of this name; this machine's own addresses are used", node=self._node_name
            )
        self._listed(kind)


def _stop_all(stops: Iterable[Callable[[], None]]) -> None:
    """Call all of these at the same time, and wait half a second for them."""
    threads = [threading.Thread(target=stop, name="stop", daemon=True) for stop in stops]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _STOP_SECONDS
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))


class ApiAway(SourceError):
    """The API server does not answer, or not with objects."""


def list_objects(completed: Completed, patience: float = _PATIENCE) -> ObjectChanges:
    """All objects that matter to this node, as the API server has them now. Raises SourceError, which may be ApiAway.

    `patience` is how many seconds it may fail from the start, and how many a connection to it may take.
    """
    inbox: SimpleQueue[ObjectChanges | str] = SimpleQueue()
    # An attempt that fails by itself is followed by another one; here the first one that takes too long is the last.
    timeouts = Timeouts(connect=2 * patience)
    client = connect(completed.config.client_connection, completed.master, timeouts)
    client.outage.log_nothing()
    reflectors = [
        Reflector(client, resource, on_change=inbox.put, on_listed=inbox.put)
        for resource in (SERVICES, ENDPOINT_SLICES, own_node(completed.node_name))
    ]
    try:
        for reflector in reflectors:
            reflector.start()
        return _collect(inbox, reflectors, client.server, patience)
    finally:
        _stop_all([reflector.stop for reflector in reflectors])


def _collect(
    inbox: "SimpleQueue[ObjectChanges | str]", reflectors: Sequence[Reflector], server: str, patience: float
) -> ObjectChanges:
    """What arrives until everything has been listed. Raises ApiAway.

    If there are only errors from the start, that is after `patience` seconds; once something has arrived, later.
    """
    objects: list[Object] = []
    notes: list[InputNote] = []
    kinds = len(reflectors)
    last = time.monotonic()
    while kinds:
        try:
            heard = inbox.get(timeout=LOOK_INTERVAL)
        except Empty:
            if why := why_given_up(reflectors, server, time.monotonic() - last, patience):
                raise ApiAway(f"cannot list objects: {why}") from None
            continue
        last, patience = time.monotonic(), LIST_TIMEOUT
        if isinstance(heard, str):
            kinds -= 1
        else:
            objects += heard.put
            notes += heard.notes
    return ObjectChanges(put=tuple(objects), notes=tuple(notes))
