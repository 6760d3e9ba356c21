"""What a source of objects tells the rest of the program, whether it is the API server or a folder of files."""

import msgspec

from pykubeproxy.cluster.input_notes import InputNote
from pykubeproxy.model.snapshot import Object, ObjectId


class ObjectChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Objects that are new or different, objects that are gone, and what there is to say about it.

    `unread` names what cannot be read now: there may be more objects than are known, and none of them counts as gone.
    """

    put: tuple[Object, ...] = ()
    removed: tuple[ObjectId, ...] = ()
    notes: tuple[InputNote, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if nothing changed and there is nothing to say."""
        return not (self.put or self.removed or self.notes)
