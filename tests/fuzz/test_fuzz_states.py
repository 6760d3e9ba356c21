"""Random clusters and bytes through every check; `make fuzz` takes more of them."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import peer
from fuzz.compiling import compiled, limits_of
from fuzz.kernel import Kernel, open_kernel, why_no_kernel
from fuzz.meaning import check_meaning
from fuzz.order import check_order
from fuzz.parser_targets import targets
from fuzz.parsers import Target, check_parser, inputs
from fuzz.rule_lines import check_lines
from fuzz.states import State, make_state, states
from pykubeproxy.cluster.tracker import Tracker
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.rules import compile as compiling
from pykubeproxy.rules import service, text
from pykubeproxy.rules.options import Dispatch

Patch = pytest.MonkeyPatch

# A state in the kernel takes as long as ten others, one through kube-proxy as long as a hundred.
IN_KERNEL = settings(max_examples=max(settings().max_examples // 10, 1))
THROUGH_PEER = settings(max_examples=max(settings().max_examples // 100, 1))


def check_rules(state: State) -> None:
    """Both families in both layouts: every line is one that is meant, and packets fare as is promised."""
    with limits_of(state):
        for family in Family:
            for dispatch in Dispatch:
                ruleset = compiled(state, family, dispatch)
                check_lines(ruleset)
                check_meaning(state, family, ruleset)


def check_history(state: State) -> None:
    """One family in one layout, which take turns: any order of events gives the same rules, and safely."""
    with limits_of(state):
        check_order(state, tuple(Family)[state.number % 2], tuple(Dispatch)[state.number // 2 % 2])


@given(states())
def test_meaning(state: State) -> None:
    check_rules(state)


@given(states())
def test_order(state: State) -> None:
    check_history(state)


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
@given(st.data())
def test_parsers(target: Target, data: st.DataObject) -> None:
    check_parser(target, data.draw(inputs(target.seeds)))


@pytest.fixture(name="kernel", scope="module")
def fixture_kernel() -> Iterator[Kernel]:
    lack = why_no_kernel()
    if lack is not None:
        pytest.skip(lack)
    with open_kernel() as its:
        yield its


@IN_KERNEL
@given(state=states())
def test_kernel(kernel: Kernel, state: State) -> None:
    with limits_of(state):
        kernel.check(state)


@THROUGH_PEER
@given(states())
def test_kube_proxy(state: State) -> None:
    if lack := peer.why_no_peer():
        pytest.skip(lack)
    with peer.open_peer() as judge:
        judge.check(state)


# Each check finds what it is there for: something is broken, and a few states are enough.


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


BREAKS: list[tuple[Callable[[State], None], Callable[[Patch], None]]] = [
    (check_rules, shares_are_wrong),
    (check_rules, nothing_is_masqueraded),
    (check_rules, names_are_written_as_they_are),
    (check_history, removals_touch_nothing),
    (check_history, deletions_are_not_seen),
]


@pytest.mark.parametrize(("check", "is_broken"), BREAKS, ids=lambda value: value.__name__)
def test_what_is_broken_is_found(
    check: Callable[[State], None], is_broken: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    is_broken(monkeypatch)
    with pytest.raises(Exception):  # noqa: B017, PT011  whatever it is
        list(map(check, map(make_state, range(60))))


def _fails_on_zero(data: bytes) -> None:
    if b"\0" in data:
        raise IndexError("zero")


def _never_ends(data: bytes) -> None:
    while data:
        pass


@pytest.mark.parametrize(("read", "says"), [(_fails_on_zero, "IndexError: zero"), (_never_ends, "takes longer than")])
def test_a_parser_that_cannot_bear_something_is_found(
    read: Callable[[bytes], None], says: str, monkeypatch: Patch
) -> None:
    monkeypatch.setattr("fuzz.parsers.LONGEST_SECONDS", 0.2)
    with pytest.raises(Exception, match=says):
        check_parser(Target("example", read, ()), b"a\0b")
