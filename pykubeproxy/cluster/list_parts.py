"""A list of the API server in parts of about a megabyte, so that a large one is never whole in memory.

The server writes a list without white space, its version first and its objects last, each with its metadata first:

    {"kind":"ServiceList","apiVersion":"v1","metadata":{…},"items":[{"metadata":{…},…},{"metadata":{…},…}]}

It can be cut before any object. Whether a place is one is not only looked for but tried: a part that ends anywhere
else is no JSON. What is written in another way stays whole.
"""

from collections.abc import Iterable, Iterator

import msgspec

from pykubeproxy.cluster.validation import decode

PART_BYTES = 1024 * 1024


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str


class _NoObjects(msgspec.Struct):
    metadata: _Metadata


_NO_OBJECTS = msgspec.json.Decoder(_NoObjects)
_ANY = msgspec.json.Decoder(msgspec.Raw)
_BEGIN_OF_OBJECTS = b'"items":['
_BETWEEN_OBJECTS = b'},{"metadata":{'
_END = b"]}"


def list_parts(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Divide a list, as JSON in any pieces, into lists of some of its objects each, in the same order.

    Yields each with True if it is the last one. All have the metadata of the whole. The last one may be anything, for
    whatever does not look like a list is handed on as it is.
    """
    held = bytearray()
    head = b""
    enough = PART_BYTES
    for piece in pieces:
        held += piece
        if len(held) < enough:
            continue
        head = head or _head(held)
        part = _complete_part(held, head)
        if part:
            # The part ends with "]}" in the place of the comma and what follows it.
            del held[: len(part) - len(_END) + 1]
            held[:0] = head
            yield part, False
        # Where no place was found, the next look is at twice as much, so that all looks together stay cheap.
        enough = PART_BYTES if part else 2 * len(held)
    yield bytes(held), True


def _head(held: bytearray) -> bytes:
    """The text before the first object; empty if no object is found, or if no resourceVersion comes before it."""
    end = held.find(_BEGIN_OF_OBJECTS) + len(_BEGIN_OF_OBJECTS)
    head = bytes(held[:end])
    try:
        decode(_NO_OBJECTS, head + _END)
    except msgspec.MsgspecError:
        return b""
    return head


def _complete_part(held: bytearray, head: bytes) -> bytes:
    """The list up to the last object that is complete, as JSON; empty if no complete object is found."""
    end = held.rfind(_BETWEEN_OBJECTS, len(head))
    if not head or end < 0:
        return b""
    part = bytes(held[: end + 1]) + _END
    try:
        decode(_ANY, part)
    except msgspec.DecodeError:
        return b""
    return part
