"""How a cluster came to be what it is: random orders of events that end in the objects of a State.

Objects are added, changed, deleted, added again, told twice, and listed anew; those of one kind come before or after
those of another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from fuzz.shapes import Object, is_foreign, is_usable
from fuzz.states import NODE, State, identity

# It is never told to be gone: what a proxy goes by then depends on when it heard of it.
_OWN_NODE = ("Node", "", NODE)

Kind = Literal["put", "remove", "relist"]
_KIND_ORDERS = (
    ("Service", "EndpointSlice", "Node"),
    ("EndpointSlice", "Service", "Node"),
    ("Node", "EndpointSlice", "Service"),
)


@dataclass(frozen=True)
class Event:
    """One thing that the API server tells; a list has no object of its own, but may lack some that nobody saw go."""

    kind: Kind
    obj: Object | None = None
    missed: tuple[Object, ...] = ()


def batches(state: State) -> list[list[Event]]:
    """Events in the order in which they are told; those of one batch come so quickly that they are taken together."""
    random = Random(f"history {state.number}")
    events = list(_numbered(_events(state, random)))
    found: list[list[Event]] = []
    while events:
        size = random.choice((1, 2, 4, 8, 16))
        found.append(events[:size])
        del events[:size]
    return found


class Told:
    """The objects as they should be known after some events: each as it was last told in a form that can be used."""

    def __init__(self) -> None:
        self._now: dict[tuple[str, str, str], Object] = {}
        self._used: dict[tuple[str, str, str], Object] = {}

    def tell(self, event: Event) -> None:
        """Take in one event. A list repeats what there is; what it lacks is gone."""
        for obj in event.missed:
            self._forget(identity(obj))
        if event.obj is None:
            return
        key = identity(event.obj)
        if event.kind == "remove":
            self._forget(key)
            return
        self._now[key] = event.obj
        if is_usable(event.obj):
            self._used[key] = event.obj
            if event.obj["kind"] == "EndpointSlice" and is_foreign(event.obj):
                del self._used[key]

    def _forget(self, key: tuple[str, str, str]) -> None:
        self._now.pop(key, None)
        self._used.pop(key, None)

    @property
    def now(self) -> list[Object]:
        """What the API server has."""
        return list(self._now.values())

    @property
    def used(self) -> list[Object]:
        """What a proxy goes by."""
        return list(self._used.values())


def _events(state: State, random: Random) -> Iterator[Event]:
    """First what was there before and the objects in between, then what is left to do to get where the state is."""
    current: dict[tuple[str, str, str], Object] = {}
    waiting = _in_some_order([*state.objects, *state.history], random)
    for obj in waiting:
        if current and random.random() < 0.25:
            yield _disturbance(current, random)
        current[identity(obj)] = obj
        yield Event("put", obj)
    final = {identity(obj): obj for obj in state.objects}
    for key in random.sample(sorted(current), len(current)):
        if key not in final:
            yield Event("remove", current[key])
    # An object that cannot be used leaves the one before it in force: so those are taken away first.
    for key in random.sample(sorted(final), len(final)):
        if current.get(key) != final[key] or not is_usable(final[key]):
            if current.get(key) is not None and not is_usable(final[key]):
                yield Event("remove", current[key])
            yield Event("put", final[key])


def _in_some_order(objects: list[Object], random: Random) -> list[Object]:
    """Mixed, or kind by kind as at the start."""
    mixed = random.sample(objects, len(objects))
    if random.random() < 0.5:
        return mixed
    order = random.choice(_KIND_ORDERS)
    return sorted(mixed, key=lambda obj: order.index(obj["kind"]))


def _disturbance(current: dict[tuple[str, str, str], Object], random: Random) -> Event:
    """A deletion, a list with or without all that was known, or a repetition."""
    key = random.choice(sorted(current))
    match random.randrange(5):
        case 0 if key != _OWN_NODE:
            return Event("remove", current.pop(key))
        case 1 if key != _OWN_NODE:
            return Event("relist", missed=(current.pop(key),))
        case 2:
            return Event("relist")
        case _:
            return Event("put", current[key])


def _numbered(events: Iterator[Event]) -> Iterator[Event]:
    """Objects with the resource versions that an API server would give them; a repetition has the old one."""
    versions: dict[str, str] = {}
    for number, event in enumerate(events, 1):
        if event.obj is None:
            yield event
            continue
        version = versions.setdefault(repr((event.kind == "remove", event.obj)), str(number))
        metadata = event.obj["metadata"] | {"resourceVersion": version}
        yield Event(event.kind, event.obj | {"metadata": metadata})
