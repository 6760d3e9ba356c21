"""Matches on interfaces: `-i`, `-o`, `-m physdev`."""

from collections.abc import Callable, Iterable

from pykubeproxy.netfilter.match_results import Matcher, Undecided, on_value, undecided
from pykubeproxy.netfilter.questions import ArrivesBy
from pykubeproxy.netfilter.syntax import Clause, Option


def _named(pattern: str) -> Callable[[str], bool]:
    """Whether a name fits a pattern; one that ends in `+` stands for all names that begin like it."""
    if pattern.endswith("+"):
        prefix = pattern[:-1]
        return lambda name: name.startswith(prefix)
    return lambda name: name == pattern


def _in_interface(option: Option) -> Matcher:
    question = Undecided(ArrivesBy(option.value), lasting=True)
    return on_value(lambda state, _context: state.in_interface, _named(option.value), question)


def _out_interface(option: Option) -> Matcher:
    return on_value(lambda state, _context: state.out_interface, _named(option.value), option.text)


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
