"""Objects from the API server, for the loop: a reflector for each kind, and the Events that a kube-proxy emits."""

from queue import SimpleQueue

from pykubeproxy.cluster.client import ApiClient
from pykubeproxy.cluster.events import EventRecorder, starting
from pykubeproxy.cluster.reflector import FollowOptions, Reflector
from pykubeproxy.cluster.resources import ENDPOINT_SLICES, SERVICES, own_node
from pykubeproxy.cluster.source import Change
from pykubeproxy.daemon.messages import Changed, Listed, Message


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
