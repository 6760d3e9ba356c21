"""Matches on interfaces: `-i`, `-o`, `-m physdev`."""

from collections.abc import Callable, Iterable

from pykubeproxy.netfilter.match_results import Matcher, MatchResult, Undecided, undecided
from pykubeproxy.netfilter.questions import ArrivesBy
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause, Option


def _named(pattern: str) -> Callable[[str], bool]:
    """Whether a name fits a pattern; one that ends in `+` stands for all names that begin like it."""
    if pattern.endswith("+"):
        prefix = pattern[:-1]
        return lambda name: name.startswith(prefix)
    return lambda name: name == pattern


def _in_interface(option: Option) -> Matcher:
    question = Undecided(ArrivesBy(option.value), lasting=True)
    return _interface(lambda state: state.in_interface, option, question)


def _out_interface(option: Option) -> Matcher:
    return _interface(lambda state: state.out_interface, option, undecided(option.text, lasting=True))


def _interface(get: Callable[[State], str | None], option: Option, question: Undecided) -> Matcher:
    fits = _named(option.value)

    def matches(state: State, _context: TraceContext) -> MatchResult:
        name = get(state)
        return question if name is None else fits(name)

    return matches


def _physdev(option: Option) -> Matcher:
    """`-m physdev`: the port of a bridge. What a process of this node sends has come through none.

    For other packets it depends on whether the kernel shows bridged packets to iptables at all, and is not known.
    """
    question = undecided(f"-m physdev {option.text}", lasting=True)
    return lambda _state, context: False if context.packet.from_node else question


OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {
    ("", "-i"): _in_interface,
    ("", "-o"): _out_interface,
    **{("physdev", f"--physdev-{what}"): _physdev for what in ("in", "out", "is-in", "is-out", "is-bridged")},
}
CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {}
