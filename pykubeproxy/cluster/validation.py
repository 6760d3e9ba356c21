"""Reading JSON that others have written, and what msgspec finds wrong in it: the field first, as in our messages."""

import re
from typing import TypeVar

import msgspec

_T = TypeVar("_T")

# msgspec gives the path of the field in the text of its error only, not as a value.
_VALIDATION_PATH = re.compile(r" - at `\$?\.?(.*)`$")


def decode(decoder: msgspec.json.Decoder[_T], data: bytes | msgspec.Raw) -> _T:
    """Decode JSON. Raises msgspec.DecodeError, also for text that is not UTF-8, of which msgspec says otherwise."""
    try:
        return decoder.decode(data)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"not UTF-8 text: {error.reason}") from None


def field_first(error: msgspec.ValidationError) -> str:
    """``Expected `int`, got `str` - at `$.spec.ports[0].port` `` as ``spec.ports[0].port: Expected int, got str``."""
    problem = str(error)
    found = _VALIDATION_PATH.search(problem)
    if not found:
        return problem
    return f"{found[1]}: {problem[: found.start()].replace('`', '')}"
