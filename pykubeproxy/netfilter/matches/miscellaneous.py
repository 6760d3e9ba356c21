"""Matches that fit nowhere else: comments and counters, `-f`, `-m owner`, `-m pkttype`."""

from collections.abc import Callable, Iterable, Iterator

from pykubeproxy.netfilter.match_results import Matcher, MatchResult, negated, undecided, undecided_matcher
from pykubeproxy.netfilter.matches.transport import port_range
from pykubeproxy.netfilter.packet import Packet
from pykubeproxy.netfilter.routing import AddressType
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause, Option

_PACKET_TYPES = {AddressType.BROADCAST: "broadcast", AddressType.MULTICAST: "multicast"}
_OWNERS: dict[str, Callable[[Packet], int | None]] = {
    "--uid-owner": lambda packet: packet.uid,
    "--gid-owner": lambda packet: packet.gid,
}


def _fragment(_option: Option) -> Matcher:
    """`-f`: a later fragment. The packet of a trace is whole."""
    return lambda _state, _context: False


def _pkttype(option: Option) -> Matcher:
    wanted = option.value

    def matches(state: State, context: TraceContext) -> MatchResult:
        kind = context.address_types.type_of(state.destination)
        return _PACKET_TYPES.get(kind or AddressType.UNICAST, "unicast") == wanted

    return matches


def _owner(option: Option) -> Matcher:
    """`-m owner`: who sent it. Only what a process of this node sends has an owner (`xt_owner.c`)."""
    get = _OWNERS.get(option.name)
    low, high = port_range(option.value, "-") if get else (0, 0)
    question = undecided(f"-m owner {option.text}", lasting=True)

    def matches(_state: State, context: TraceContext) -> MatchResult:
        if not context.packet.from_node or option.name == "--socket-exists":
            return context.packet.from_node
        number = get(context.packet) if get else None
        return question if number is None else low <= number <= high

    return matches


def match_set(clause: Clause) -> Iterator[Matcher]:
    """`-m set --match-set NAME src,dst`: what a set holds is not in a dump."""
    for option in clause.options:
        if option.name not in _SET_MANNERS:
            question = undecided_matcher(f"-m set {option.text}", lasting=True)
            yield negated(question, inverted=option.inverted)


def nothing(_clause: Clause) -> Iterable[Matcher]:
    """A module that matches every packet."""
    return ()


# Options of `-m set` that say how to look, not what for.
_SET_MANNERS = ("--return-nomatch", "--update-counters", "--update-subcounters")

OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {
    ("", "-f"): _fragment,
    ("pkttype", "--pkt-type"): _pkttype,
    **{("owner", f"--{what}"): _owner for what in ("uid-owner", "gid-owner", "suppl-groups", "socket-exists")},
}
CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {"comment": nothing, "nfacct": nothing, "set": match_set}
