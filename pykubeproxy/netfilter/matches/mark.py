"""Matches on marks: `-m mark` (of the packet) and `-m connmark` (of its connection)."""

from collections.abc import Callable, Iterable

from pykubeproxy.netfilter.match_results import Matcher, MatchResult, Undecided, on_value
from pykubeproxy.netfilter.packet import WITHOUT_CONNECTION
from pykubeproxy.netfilter.questions import MatchHolds
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause, Option

ALL_BITS = 0xFFFFFFFF


def value_and_mask(text: str) -> tuple[int, int]:
    """`0x4000/0x4000`; without a mask, all bits count. Raises ValueError."""
    value, slash, mask = text.partition("/")
    return int(value, 0), int(mask, 0) if slash else ALL_BITS


def _mark(option: Option) -> Matcher:
    value, mask = value_and_mask(option.value)
    return on_value(lambda state, _context: state.mark, lambda mark: mark & mask == value, option.text)


def connmark(clause: Clause) -> Iterable[Matcher]:
    """`-m connmark [!] --mark V/M`; a packet without a connection never matches, inverted or not."""
    option = clause.find("--mark")
    if option is None:
        raise ValueError(clause.text)
    value, mask = value_and_mask(option.value)
    inverted = option.inverted

    def matches(state: State, _context: TraceContext) -> MatchResult:
        if state.tracking in WITHOUT_CONNECTION:
            return False
        if state.connection_mark is None:
            return Undecided(MatchHolds(f"-m connmark {option.text}"), lasting=True, inverted=inverted)
        return (state.connection_mark & mask == value) != inverted

    return (matches,)


OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {("mark", "--mark"): _mark}
CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {"connmark": connmark}
