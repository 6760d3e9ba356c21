"""Objects from the API server, for the loop: a reflector for each kind, and the Events that a kube-proxy emits."""

import time
from queue import Empty, SimpleQueue

from pykubeproxy.cluster.client import ApiClient, connect
from pykubeproxy.cluster.events import EventRecorder, starting
from pykubeproxy.cluster.manifests import SourceError
from pykubeproxy.cluster.reflector import FollowOptions, Reflector
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES, own_node
from pykubeproxy.cluster.source import Change, Note
from pykubeproxy.config.completed import Completed
from pykubeproxy.daemon.messages import Changed, Listed, Message
from pykubeproxy.model.snapshot import Object

# Seconds that a command which looks once waits for all objects.
_LIST_PATIENCE = 30.0


class ApiSource:
    """Follows Services, EndpointSlices and this node's Node object, from `start` to `stop`."""

    def __init__(
        self, client: ApiClient, node_name: str, host_name: str, inbox: "SimpleQueue[Message]", options: FollowOptions
    ) -> None:
        self._inbox = inbox
        self._node_name = node_name
        self.events = EventRecorder(client, host_name)
        self._reflectors = [
            Reflector(client, resource, on_change=self._changed, on_listed=self._listed, options=options)
            for resource in (SERVICES, ENDPOINT_SLICES, own_node(node_name))
        ]

    def start(self) -> None:
        """Begin to follow."""
        self.events.start()
        self.events.emit(starting(self._node_name))
        for reflector in self._reflectors:
            reflector.start()

    def stop(self) -> None:
        """End all threads."""
        for reflector in self._reflectors:
            reflector.stop()
        self.events.stop()

    def _changed(self, change: Change) -> None:
        self._inbox.put(Changed(change))

    def _listed(self, kind: str) -> None:
        self._inbox.put(Listed(frozenset({kind})))


def list_objects(completed: Completed) -> Change:
    """All objects that matter to this node, as the API server has them now. Raises SourceError if it does not tell."""
    inbox: SimpleQueue[Change | str] = SimpleQueue()
    client = connect(completed.config.client_connection, completed.master)
    reflectors = [
        Reflector(client, resource, on_change=inbox.put, on_listed=inbox.put)
        for resource in (SERVICES, ENDPOINT_SLICES, own_node(completed.node_name))
    ]
    try:
        for reflector in reflectors:
            reflector.start()
        return _collect(inbox, len(reflectors))
    except Empty:
        trouble = next((found for found in (reflector.trouble for reflector in reflectors) if found), "no answer")
        raise SourceError(f"cannot list objects: {trouble}") from None
    finally:
        for reflector in reflectors:
            reflector.stop()


def _collect(inbox: "SimpleQueue[Change | str]", kinds: int) -> Change:
    """What arrives until so many kinds have been listed. Raises queue.Empty if that takes too long."""
    objects: list[Object] = []
    notes: list[Note] = []
    deadline = time.monotonic() + _LIST_PATIENCE
    while kinds:
        heard = inbox.get(timeout=max(deadline - time.monotonic(), 0))
        if isinstance(heard, str):
            kinds -= 1
        else:
            objects += heard.put
            notes += heard.notes
    return Change(put=tuple(objects), notes=tuple(notes))
