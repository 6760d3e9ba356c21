"""Matches on what conntrack knows: `-m conntrack`, `-m state`, `-m helper`."""

from collections.abc import Callable, Iterable, Iterator

from pykubeproxy.netfilter.match_results import (
    Matcher,
    MatchResult,
    negated,
    on_value,
    undecided,
    undecided_matcher,
)
from pykubeproxy.netfilter.matches.address import Getter, in_network
from pykubeproxy.netfilter.matches.transport import port_range
from pykubeproxy.netfilter.packet import WITHOUT_CONNECTION, ConnectionState, protocol_number
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause, Option

_NEW = ConnectionState.NEW
_TRANSLATIONS = frozenset({"SNAT", "DNAT"})


def ctstate(option: Option) -> Matcher:
    """`--ctstate LIST`. SNAT and DNAT are states beside the others: the connection's addresses were changed."""
    wanted = frozenset(option.value.split(","))
    question = undecided(option.text, lasting=True)

    def matches(state: State, context: TraceContext) -> MatchResult:
        if state.tracking is None:
            return "INVALID" in wanted  # conntrack comes after the raw table
        if state.tracking in wanted:
            return True
        if not wanted & _TRANSLATIONS or state.tracking in WITHOUT_CONNECTION:
            return False
        if state.tracking is not _NEW or ("SNAT" in wanted and state.source is None):
            return question
        return ("DNAT" in wanted and _is_dnated(state, context)) or ("SNAT" in wanted and _is_snated(state, context))

    return matches


def _is_dnated(state: State, context: TraceContext) -> bool:
    return (state.destination, state.destination_port) != (context.destination, context.packet.destination_port)


def _is_snated(state: State, context: TraceContext) -> bool:
    return (state.source, state.source_port) != (context.source, context.packet.source_port)


def conntrack(clause: Clause) -> Iterator[Matcher]:
    """`-m conntrack`: all its options must hold. Without a connection, only `--ctstate` is asked."""
    yield from (negated(ctstate(option), inverted=option.inverted) for option in clause.options if _is_state(option))
    stateful = any(map(_is_state, clause.options))
    for option in clause.options:
        if not _is_state(option):
            yield _of_connection(negated(_conntrack_option(option), inverted=option.inverted), otherwise=stateful)


def _of_connection(matcher: Matcher, *, otherwise: bool) -> Matcher:
    def matches(state: State, context: TraceContext) -> MatchResult:
        return otherwise if state.tracking in WITHOUT_CONNECTION else matcher(state, context)

    return matches


def _is_state(option: Option) -> bool:
    return option.name in ("--ctstate", "--state")


def _conntrack_option(option: Option) -> Matcher:
    """One option besides the state, decided for the first packet of a connection."""
    question = undecided(option.text, lasting=True)
    decide = _DECIDERS[option.name](option) if option.name in _DECIDERS else undecided_matcher(option.text)

    def matches(state: State, context: TraceContext) -> MatchResult:
        return decide(state, context) if state.tracking is _NEW else question

    return matches


def _address(get: Getter) -> Callable[[Option], Matcher]:
    return lambda option: in_network(get, option)


def _port(get: Getter) -> Callable[[Option], Matcher]:
    def made(option: Option) -> Matcher:
        low, high = port_range(option.value)
        return on_value(get, lambda number: low <= number <= high, option.text)

    return made


def _protocol(option: Option) -> Matcher:
    number = protocol_number(option.value)
    return lambda _state, context: context.protocol == number


def _status(option: Option) -> Matcher:
    """A connection that begins has no status yet, but for the second time that a packet to the node itself passes."""
    wanted = option.value.split(",")
    return lambda state, _context: state.looped and "CONFIRMED" in wanted


def _direction(option: Option) -> Matcher:
    original = option.value.upper() == "ORIGINAL"
    return lambda _state, _context: original


# The reply goes from where the packet is going now to where it comes from now (RFC 3022).
_DECIDERS: dict[str, Callable[[Option], Matcher]] = {
    "--ctproto": _protocol,
    "--ctorigsrc": _address(lambda _state, context: context.source),
    "--ctorigdst": _address(lambda _state, context: context.destination),
    "--ctreplsrc": _address(lambda state, _context: state.destination),
    "--ctrepldst": _address(lambda state, _context: state.source),
    "--ctorigsrcport": _port(lambda _state, context: context.packet.source_port),
    "--ctorigdstport": _port(lambda _state, context: context.packet.destination_port),
    "--ctreplsrcport": _port(lambda state, _context: state.destination_port),
    "--ctrepldstport": _port(lambda state, _context: state.source_port),
    "--ctstatus": _status,
    "--ctdir": _direction,
}


def _helper(option: Option) -> Matcher:
    """Only connections that a helper has announced match, and those are never NEW."""
    question = undecided(f"-m helper {option.text}", lasting=True)
    return lambda state, _context: False if state.tracking in (*WITHOUT_CONNECTION, _NEW) else question


OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {("helper", "--helper"): _helper}
CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {"conntrack": conntrack, "state": conntrack}
