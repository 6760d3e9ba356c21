"""The objects of the cluster as the sources have listed and changed them."""

from collections.abc import Collection

import msgspec

from pykubeproxy import logger
from pykubeproxy.cluster.source import ObjectChanges
from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import ServiceKey
from pykubeproxy.model.snapshot import ObjectId, Snapshot

log = logger.get()


class SnapshotUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What a change has done to the Snapshot: `touched` Services are to be recompiled, `removed` slices are gone."""

    touched: Collection[ServiceKey]
    removed: tuple[EndpointSlice, ...]


class KnownObjects:
    """The Snapshot, and which Services have been touched since the last sync.

    This node's Node object is never removed: rules depend on its addresses, and its last state is the best guess.
    """

    def __init__(self, node_name: str) -> None:
        self.snapshot = Snapshot()
        self.unread: tuple[str, ...] = ()
        """What a source cannot read now, so that objects may be missing."""
        self._own_node = ObjectId("Node", "", node_name)
        self._touched: set[ServiceKey] = set()
        self._was_complete = False

    @property
    def node(self) -> Node | None:
        """This node's Node object, as it was last seen."""
        return self.snapshot.nodes.get(self._own_node.name)

    def take(self, change: ObjectChanges) -> SnapshotUpdate:
        """Take in new, changed and removed objects."""
        touched: set[ServiceKey] = set()
        removed: list[EndpointSlice] = []
        for obj in change.put:
            touched |= self.snapshot.put(obj)
        for name in change.removed:
            if name == self._own_node:
                log.warning("this node's Node object is gone; its last state stays in force", node=name.name)
            else:
                slice_ = self.snapshot.slice_named(name)
                removed += [slice_] if slice_ is not None else []
                touched |= self.snapshot.remove(name)
        self._touched |= touched
        return SnapshotUpdate(touched=touched, removed=tuple(removed))

    def take_touched(self) -> set[ServiceKey]:
        """The Services that have been touched since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def see_unread(self, unread: tuple[str, ...]) -> bool:
        """Take note of what a source cannot read now. True until everything has been read once.

        So long, rules in force must not be removed for objects that may only be unread. Later, a source that cannot
        read something counts no object as gone.
        """
        if unread and not self.unread:
            log.warning("not all objects are known; nothing is removed until they are", unread="; ".join(unread))
        elif self.unread and not unread:
            log.info("all objects are known; what is gone is removed")
        self.unread = unread
        was_complete, self._was_complete = self._was_complete, self._was_complete or not unread
        return not was_complete
