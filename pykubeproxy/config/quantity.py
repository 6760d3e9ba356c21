"""Kubernetes resource quantities (`0`, `512`, `2Ki`), as the logging options use them."""

import re
from typing import Self

_QUANTITY = re.compile(
    r"[+-]?(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?", re.ASCII
)


class Quantity(str):
    """A quantity, kept as it was written; false when it is zero."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check the syntax of `text`. Raises ValueError with a one-line reason."""
        if not _QUANTITY.fullmatch(text):
            raise ValueError(f'invalid quantity "{text}": write a number of bytes such as 512, 1k or 2Ki')
        return cls(text)

    @classmethod
    def from_file(cls, value: object) -> Self:
        """Read the value of a configuration file's field: a string or a number. Raises ValueError."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"a quantity must be a string or a number, got {value!r}")  # noqa: TRY004
        return cls.parse(str(value))

    def __bool__(self) -> bool:
        match = _QUANTITY.fullmatch(self)
        return match is not None and float(match["number"]) != 0
