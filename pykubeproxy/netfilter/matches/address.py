"""Matches on addresses: `-s`, `-d`, `-m iprange`, `-m addrtype`."""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address

from pykubeproxy.model.ip import Family
from pykubeproxy.netfilter.match_results import Matcher, Undecided, negated, on_value
from pykubeproxy.netfilter.questions import HasAddressType, IsLocalAddress
from pykubeproxy.netfilter.routing import AddressType
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause, Option

Getter = Callable[[State, TraceContext], int | None]


def source(state: State, _context: TraceContext) -> int | None:
    """The packet's source at this moment; not known once it is masqueraded."""
    return state.source


def destination(state: State, _context: TraceContext) -> int | None:
    """The packet's destination at this moment."""
    return state.destination


def network(text: str) -> Callable[[int], bool]:
    """Membership in a network: an address, a prefix, or the dotted mask that iptables-save prints if it must.

    Raises ValueError if the text is none of these.
    """
    written, _, length = text.partition("/")
    address = ip_address(written)
    everything = (1 << address.max_prefixlen) - 1
    if not length:
        mask = everything
    elif length.isdigit():
        mask = everything ^ (everything >> int(length))
    else:
        mask = int(ip_address(length))
    wanted = int(address) & mask
    return lambda number: number & mask == wanted


def in_network(get: Getter, option: Option) -> Matcher:
    """A match on the network of some address."""
    return on_value(get, network(option.value), option.text)


def _in_range(get: Getter, option: Option) -> Matcher:
    first, _, last = option.value.partition("-")
    low, high = int(ip_address(first)), int(ip_address(last or first))
    return on_value(get, lambda number: low <= number <= high, option.text)


def addrtype(clause: Clause) -> Iterator[Matcher]:
    """`-m addrtype [!] --src-type T --dst-type T [--limit-iface-in | --limit-iface-out]`."""
    limit: Callable[[State], str | None] | None = None
    if clause.find("--limit-iface-in"):
        limit = _in_interface
    elif clause.find("--limit-iface-out"):
        limit = _out_interface
    for name, get in (("--src-type", source), ("--dst-type", destination)):
        if option := clause.find(name):
            yield negated(_type(get, frozenset(option.value.split(",")), limit), inverted=option.inverted)


def _type(get: Getter, types: frozenset[str], limit: Callable[[State], str | None] | None) -> Matcher:
    return lambda state, context: _is_of_type(get(state, context), types, limit, state, context)


def _in_interface(state: State) -> str | None:
    return state.in_interface


def _out_interface(state: State) -> str | None:
    return state.out_interface


def _is_of_type(
    number: int | None,
    types: frozenset[str],
    limit: Callable[[State], str | None] | None,
    state: State,
    context: TraceContext,
) -> bool | Undecided:
    if number is None:
        # Masquerading has given it an address of this node, if we do not know which.
        kind: AddressType | None = AddressType.LOCAL
        asked = IsLocalAddress(None)
    else:
        asked = IsLocalAddress(context.address_text(number))
        kind = context.address_types.type_of(number)
        if limit is not None and kind is not AddressType.UNICAST:
            interface = limit(state)
            asked = IsLocalAddress(asked.address, interface)
            if interface is None:
                return Undecided(asked, lasting=True)
            kind = context.address_types.type_of(number, interface)
    if context.family is Family.IPV6:
        return _matches_ipv6(kind, types, asked)
    return _matches(kind, types, asked)


def _matches(kind: AddressType | None, types: frozenset[str], asked: IsLocalAddress) -> bool | Undecided:
    if kind is not None:
        return kind in types
    local, unicast = "LOCAL" in types, "UNICAST" in types
    if local == unicast:
        return local
    return Undecided(asked, lasting=True, inverted=unicast)


def _matches_ipv6(kind: AddressType | None, types: frozenset[str], asked: IsLocalAddress) -> bool | Undecided:
    """IPv6 has the types beside one another: an address of this node is LOCAL and UNICAST (`xt_addrtype.c`)."""
    multicast, unspecified = kind is AddressType.MULTICAST, kind is AddressType.UNSPEC
    if ("MULTICAST" in types and not multicast) or ("UNSPEC" in types and not unspecified):
        return False
    if "UNICAST" in types and (multicast or unspecified):
        return False
    if types & {"ANYCAST", "UNREACHABLE"} and kind is not AddressType.LOCAL:
        return Undecided(HasAddressType(asked.address, tuple(sorted(types))), lasting=True)
    if "LOCAL" in types:
        return Undecided(asked, lasting=True) if kind is None else kind is AddressType.LOCAL
    return not types & {"ANYCAST", "UNREACHABLE"}


OPTIONS: dict[tuple[str, str], Callable[[Option], Matcher]] = {
    ("", "-s"): lambda option: in_network(source, option),
    ("", "-d"): lambda option: in_network(destination, option),
    ("iprange", "--src-range"): lambda option: _in_range(source, option),
    ("iprange", "--dst-range"): lambda option: _in_range(destination, option),
}
CLAUSES: dict[str, Callable[[Clause], Iterable[Matcher]]] = {"addrtype": addrtype}
