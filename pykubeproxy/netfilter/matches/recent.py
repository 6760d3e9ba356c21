"""Matches on earlier packets: `-m recent`."""

from collections.abc import Callable, Iterable

from pykubeproxy.netfilter.match_results import Matcher, MatchResult, StateChange, undecided
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause, Option


def recent(clause: Clause) -> Iterable[Matcher]:
    """`-m recent`: whether a list holds the packet's address; `--set` and `--remove` change the list.

    Which lists hold the address is in Environment.recent; an address on a list counts as seen recently enough.
    How often it was seen, and with which TTL, is not known.
    """
    name = clause.value("--name", "DEFAULT") + (" by destination" if clause.find("--rdest") else "")
    operation = next((option for option in clause.options if option.name in _OPERATIONS), None)
    if operation is None:
        raise ValueError(clause.text)
    act = _OPERATIONS[operation.name]
    counted = clause.find("--rttl") is not None or int(clause.value("--hitcount", "0")) > 1
    question = undecided(f"-m {clause.text}")

    def matches(state: State, context: TraceContext) -> MatchResult:
        held = name in state.recent
        if operation.name != "--set":
            context.asked.add(name)
        if held and counted and operation.name in ("--rcheck", "--update"):
            return question
        return act(state, name, held, operation.inverted)

    return (matches,)


def _set(state: State, name: str, held: bool, inverted: bool) -> MatchResult:  # noqa: FBT001 (all operations are called alike)
    return not inverted if held else StateChange(not inverted, state.but(recent=state.recent | {name}))


def _check(_state: State, _name: str, held: bool, inverted: bool) -> MatchResult:  # noqa: FBT001
    return held != inverted


def _remove(state: State, name: str, held: bool, inverted: bool) -> MatchResult:  # noqa: FBT001
    return StateChange(not inverted, state.but(recent=state.recent - {name})) if held else inverted


_OPERATIONS: dict[str, Callable[[State, str, bool, bool], MatchResult]] = {
    "--set": _set,
    "--rcheck": _check,
    "--update": _check,
    "--remove": _remove,
}

OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {}
CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {"recent": recent}
