"""What a source of objects tells the rest of the program, whether it is the API server or a folder of files."""

import msgspec
from msgspec.structs import force_setattr

from pykubeproxy.model.printable import printable
from pykubeproxy.model.snapshot import Object, ObjectId

_LONGEST_TEXT = 1000


class Note(msgspec.Struct, frozen=True):
    """One line for the user about input that was not used as it is. `is_error` tells a mistake from a remark.

    Line breaks and other control characters, which the input may have brought along, are shown as escapes; of a text
    that is too long, the middle is left out.
    """

    text: str
    is_error: bool = True

    def __post_init__(self) -> None:
        text = printable(self.text)
        if len(text) > _LONGEST_TEXT:
            text = f"{text[: _LONGEST_TEXT // 2]}...{text[-_LONGEST_TEXT // 2 :]}"
        force_setattr(self, "text", text)


class ObjectChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Objects that are new or different, objects that are gone, and what there is to say about it.

    `unread` names what cannot be read now: there may be more objects than are known, and none of them counts as gone.
    """

    put: tuple[Object, ...] = ()
    removed: tuple[ObjectId, ...] = ()
    notes: tuple[Note, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if nothing changed and there is nothing to say."""
        return not (self.put or self.removed or self.notes)
