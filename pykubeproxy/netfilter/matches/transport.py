"""Matches on protocols and their headers: `-p`, ports, TCP flags, `-m multiport`, ICMP types."""

from collections.abc import Callable, Iterable

from pykubeproxy.netfilter.match_results import Matcher, MatchResult, always, undecided, undecided_matcher
from pykubeproxy.netfilter.packet import protocol_number
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause, Option

Range = tuple[int, int]
Getter = Callable[[State], int | None]

_ALL_FLAGS = frozenset({"FIN", "SYN", "RST", "PSH", "ACK", "URG"})
_ICMP_NAMES = {
    "echo-reply": "0",
    "destination-unreachable": "3",
    "echo-request": "8",
    "time-exceeded": "11",
    "any": "255",
}
_ANY_ICMP = 255


def _protocol(option: Option) -> Matcher:
    number = protocol_number(option.value)
    if option.value in ("all", "0"):
        return always
    if number is None:
        return undecided_matcher(option.text, lasting=True)
    return lambda _state, context: context.protocol == number


def port_range(text: str, separator: str = ":") -> Range:
    """`80`, `8000:9000`, `:1023`, `1024:` as first and last port. Raises ValueError."""
    first, colon, last = text.partition(separator)
    low = int(first) if first or not colon else 0
    return low, (int(last) if last else 0xFFFF) if colon else low


def _is_in(number: int | None, ranges: list[Range]) -> bool | None:
    """Membership, None if the port is not known and may be in or out."""
    if number is None:
        return True if (0, 0xFFFF) in ranges else None
    return any(low <= number <= high for low, high in ranges)


def _ports(getters: tuple[Getter, ...], ranges: list[Range], option: Option) -> Matcher:
    question = undecided(option.text, lasting=True)

    def matches(state: State, _context: TraceContext) -> MatchResult:
        answers = [_is_in(get(state), ranges) for get in getters]
        if any(answers):
            return True
        return question if None in answers else False

    return matches


def _source_port(state: State) -> int | None:
    return state.source_port


def _destination_port(state: State) -> int | None:
    return state.destination_port


def _single(getter: Getter) -> Callable[[Option], Matcher]:
    return lambda option: _ports((getter,), [port_range(option.value)], option)


def _several(*getters: Getter) -> Callable[[Option], Matcher]:
    return lambda option: _ports(getters, [port_range(text) for text in option.value.split(",")], option)


def _flags(text: str) -> frozenset[str]:
    if text == "ALL":
        return _ALL_FLAGS
    return frozenset() if text == "NONE" else frozenset(text.split(","))


def _tcp_flags(option: Option) -> Matcher:
    if option.name == "--syn":
        mask, wanted = _flags("FIN,SYN,RST,ACK"), _flags("SYN")
    else:
        examined, expected = option.values  # ValueError if there are not two
        mask, wanted = _flags(examined), _flags(expected)
    question = undecided(option.text, lasting=True)

    def matches(_state: State, context: TraceContext) -> MatchResult:
        flags = context.packet.flags
        return question if flags is None else flags & mask == wanted

    return matches


def _icmp(option: Option) -> Matcher:
    kind, _, code = _ICMP_NAMES.get(option.value, option.value).partition("/")
    wanted_kind, wanted_code = int(kind), int(code) if code else None
    if option.name == "--icmp-type" and wanted_kind == _ANY_ICMP:
        return always
    question = undecided(option.text, lasting=True)

    def matches(_state: State, context: TraceContext) -> MatchResult:
        packet = context.packet
        if packet.icmp_type is not None and packet.icmp_type != wanted_kind:
            return False
        if packet.icmp_type is None or (wanted_code is not None and packet.icmp_code is None):
            return question
        return wanted_code in (None, packet.icmp_code)

    return matches


_WITH_PORTS = ("tcp", "udp", "sctp", "dccp", "udplite")

OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {
    ("", "-p"): _protocol,
    **{(module, "--sport"): _single(_source_port) for module in _WITH_PORTS},
    **{(module, "--dport"): _single(_destination_port) for module in _WITH_PORTS},
    ("tcp", "--tcp-flags"): _tcp_flags,
    ("tcp", "--syn"): _tcp_flags,
    ("multiport", "--sports"): _several(_source_port),
    ("multiport", "--dports"): _several(_destination_port),
    ("multiport", "--ports"): _several(_source_port, _destination_port),
    ("icmp", "--icmp-type"): _icmp,
    ("icmp6", "--icmpv6-type"): _icmp,
}
CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {}
