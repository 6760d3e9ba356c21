"""Each check finds what it is there for: something is broken, and a few states are enough."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fuzz.checks import CHECKS
from fuzz.parsers import Target, check_parser
from fuzz.running import Failure, examine
from fuzz.shrinking import shrunk
from fuzz.states import State, make_state
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules import compile as compiling
from pykubeproxy.rules import service, text

WITHIN = 60
Patch = pytest.MonkeyPatch


def shares_are_wrong(patch: Patch) -> None:
    right = text.probability
    patch.setattr(text, "probability", lambda chosen, choices: right(chosen, choices + 1))


def nothing_is_masqueraded(patch: Patch) -> None:
    patch.setattr(service, "internal_masquerade", lambda *_: ())
    patch.setattr(compiling, "internal_masquerade", lambda *_: (), raising=False)


def names_are_written_as_they_are(patch: Patch) -> None:
    right = text.comment
    patch.setattr(text, "comment", lambda words: right(f"{words} -j ACCEPT"))


def removals_touch_nothing(patch: Patch) -> None:
    right = Snapshot.remove

    def remove(self: Snapshot, name: object) -> frozenset[object]:
        right(self, name)  # type: ignore[arg-type]
        return frozenset()

    patch.setattr(Snapshot, "remove", remove)


def deletions_are_not_seen(patch: Patch) -> None:
    patch.setattr(Tracker, "_forget", lambda *_: None)


def a_new_list_removes_nothing(patch: Patch) -> None:
    def end_list(self: Tracker) -> None:
        self._listed, self.has_listed = None, True

    patch.setattr(Tracker, "end_list", end_list)


BREAKS: list[tuple[str, Callable[[Patch], None]]] = [
    ("meaning", shares_are_wrong),
    ("meaning", nothing_is_masqueraded),
    ("meaning", names_are_written_as_they_are),
    ("order", removals_touch_nothing),
    ("order", deletions_are_not_seen),
    ("order", a_new_list_removes_nothing),
]


@pytest.mark.parametrize(("check", "is_broken"), BREAKS, ids=lambda value: getattr(value, "__name__", value))
def test_what_is_broken_is_found(check: str, is_broken: Callable[[Patch], None], monkeypatch: Patch) -> None:
    is_broken(monkeypatch)
    assert first_failure(check) is not None


def first_failure(check: str) -> State | None:
    """The first state that a check complains about."""

    def fails(state: State) -> bool:
        try:
            CHECKS[check](state)
        except Exception:  # noqa: BLE001  whatever it is
            return True
        return False

    return next(filter(fails, map(make_state, range(WITHIN))), None)


def test_a_failure_tells_how_to_see_it_again(monkeypatch: Patch) -> None:
    nothing_is_masqueraded(monkeypatch)
    bad = first_failure("meaning")
    assert bad is not None
    failure = examine("meaning", CHECKS["meaning"], bad)
    assert isinstance(failure, Failure)
    assert f"again: python -m fuzz --states 1 --seed {bad.number} --only meaning" in str(failure)
    assert len(failure.state.objects) <= len(bad.objects)


def test_a_failure_is_made_small() -> None:
    state = make_state(7)
    kept = state.objects[0]["metadata"]["name"]
    least = shrunk(state, lambda smaller: any(obj["metadata"]["name"] == kept for obj in smaller.objects))
    assert [obj["metadata"] for obj in least.objects] == [{"name": kept, **_namespace(least)}]
    assert (least.flags, least.history) == ((), ())
    assert least == replace(state, number=least.number, objects=least.objects, flags=(), history=())


def _namespace(state: State) -> dict[str, str]:
    return {key: value for key, value in state.objects[0]["metadata"].items() if key == "namespace"}


def _fails_on_zero(data: bytes) -> None:
    if b"\0" in data:
        raise IndexError("zero")


def _never_ends(data: bytes) -> None:
    while data:
        pass


@pytest.mark.parametrize("read", [_fails_on_zero, _never_ends])
def test_a_parser_that_cannot_bear_something_is_found(read: Callable[[bytes], None], monkeypatch: Patch) -> None:
    monkeypatch.setattr("fuzz.parsers.LONGEST_SECONDS", 0.2)
    target = Target("example", read, (b"abc", b"a\0b"))
    with pytest.raises(Exception, match=r"IndexError: zero|takes longer than"):
        check_parser(target, 1, 50)
