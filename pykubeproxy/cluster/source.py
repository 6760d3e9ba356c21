"""The changes that a source of objects (the API server, or manifests) passes to the rest of the program."""

import msgspec

from pykubeproxy.cluster.input_notes import InputNote
from pykubeproxy.model.snapshot import Object, ObjectId


class ObjectChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Objects that are new or different, objects that are gone, and notes about mistakes in the input.

    `unread` names what cannot be read now: there may be more objects than are known, and none of them counts as gone.
    """

    put: tuple[Object, ...] = ()
    removed: tuple[ObjectId, ...] = ()
    notes: tuple[InputNote, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if nothing has changed and there are no notes."""
        return not (self.put or self.removed or self.notes)
