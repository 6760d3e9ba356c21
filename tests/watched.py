"""Dictionaries that tell if somebody goes through all of them: what must not be done with large ones."""

from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Watched(dict[Key, Value]):
    """Refuses to be iterated over, and so to be copied, sorted or searched, be it from C; lookups are as usual."""

    def __iter__(self) -> Iterator[Key]:
        raise AssertionError("somebody goes through a dictionary of the size of the cluster")

    def _refuse(self, *_: object) -> NoReturn:
        iter(self)
        raise AssertionError

    keys = values = items = copy = __or__ = __ror__ = __reversed__ = __eq__ = _refuse
    __hash__ = None


def watch(owner: Any, *names: str) -> None:
    """Have dictionaries that are attributes of `owner` watched from now on."""
    for name in names:
        content = getattr(owner, name)
        assert type(content) is dict, name
        setattr(owner, name, Watched(content))
