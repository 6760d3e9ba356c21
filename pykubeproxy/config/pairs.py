"""A mapping of a file, before duplicate keys are looked for."""

from typing import Any


class Pairs(list[tuple[Any, Any]]):
    """A mapping as its (key, value) pairs, so that duplicate keys are still there."""
