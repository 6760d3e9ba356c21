"""Making a failing State smaller: what can be left out while the same check still complains."""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from fuzz.shapes import Object
from fuzz.states import State

Fails = Callable[[State], bool]

# Nobody waits longer than this for a nicer failure.
LONGEST_SECONDS = 60.0

_DRAWS = 3
_STEP = 4_000_000

# Without these, nobody could say what an object is.
_IDENTITY = ("kind", "apiVersion", "metadata", "name", "namespace")


def shrunk(state: State, fails: Fails) -> State:
    """A State with as few objects, flags and fields as a greedy search finds; `fails` is true of it as of `state`.

    Its number may be another one.
    """
    deadline = time.monotonic() + LONGEST_SECONDS
    is_smaller = True
    while is_smaller and time.monotonic() < deadline:
        is_smaller = False
        for smaller in _smaller(state):
            if time.monotonic() > deadline:
                break
            # What is drawn depends on how much there is to draw from: so a few other draws are tried as well.
            failing = next(filter(fails, _drawn_otherwise(smaller)), None)
            if failing is not None:
                state, is_smaller = failing, True
                break
    return state


def _drawn_otherwise(state: State) -> Iterator[State]:
    """The same cluster under other numbers, which leave the family and layout of its history as they are."""
    for step in range(_DRAWS):
        yield replace(state, number=state.number + step * _STEP)


def _smaller(state: State) -> Iterator[State]:
    """States with one thing less, the largest things first."""
    for name in ("history", "objects", "flags"):
        things: tuple[Any, ...] = getattr(state, name)
        for size in (len(things) // 2, 1):
            for start in range(0, len(things), size) if size else ():
                fewer: dict[str, Any] = {name: things[:start] + things[start + size :]}
                yield replace(state, **fewer)
    for index, obj in enumerate(state.objects):
        for plainer in _plainer(obj):
            yield replace(state, objects=(*state.objects[:index], plainer, *state.objects[index + 1 :]))


def _plainer(obj: Object) -> Iterator[Object]:
    """An object without one of its fields or items."""
    for path in _paths(obj):
        made = copy.deepcopy(obj)
        place: Any = made
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
        yield made


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all fields and items, outer ones first."""
    if isinstance(value, dict):
        keys: list[Any] = [key for key in value if key not in _IDENTITY or len(before) > 2]
        inner: list[Any] = list(value)
    elif isinstance(value, list):
        keys = inner = list(range(len(value)))
    else:
        return
    for key in keys:
        yield (*before, key)
    for key in inner:
        yield from _paths(value[key], (*before, key))
