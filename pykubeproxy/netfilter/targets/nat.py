"""Targets that translate addresses: DNAT, REDIRECT, SNAT, MASQUERADE, NETMAP. All of them end the nat table."""

from fractions import Fraction
from ipaddress import ip_address

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.netfilter.effect import Action, Effect, RuleVerdict, Target
from pykubeproxy.netfilter.events import (
    DestinationChanged,
    DestinationChosen,
    InterfaceAddressUnknown,
    Masqueraded,
    NetworkChanged,
    SourceChanged,
)
from pykubeproxy.netfilter.state import INPUT, OUTPUT, POSTROUTING, State, TraceContext
from pykubeproxy.netfilter.syntax import Clause

# The kernel spreads clients over a range of addresses by a hash; up to so many addresses become branches.
_FOLLOWED_ADDRESSES = 256


class _Range(msgspec.Struct, frozen=True, kw_only=True):
    """A range such as `10.0.0.1-10.0.0.9:8000-8010/80`.

    `first` and `last` are addresses (0: the address stays), `ports` the first and last port, and `base` is the port
    that becomes the first of them.
    """

    first: int = 0
    last: int = 0
    ports: tuple[int, int] | None = None
    base: int | None = None
    random: bool = False
    text: str = ""

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def destination_port(self, current: int | None) -> int | None:
        """The new destination port; None if the kernel chooses it (`nf_nat_l4proto_unique_tuple`)."""
        if self.ports is None:
            return current
        low, high = self.ports
        if low == high:
            return low
        if current is None or (self.random and self.base is None):
            return None
        if self.base is not None:
            return low + (current - self.base) % (high - low + 1)
        return current if low <= current <= high else low

    def source_port(self, current: int | None) -> int | None:
        """The new source port: unchanged if the range allows it; None if the kernel chooses one."""
        if self.random or current is None:
            return None
        low, high = self.ports or (0, 0xFFFF)
        return current if low <= current <= high else None

    def port_text(self, chosen: int | None) -> str | None:
        """The port as text: a number, or the range from which the kernel chooses it."""
        if chosen is not None or self.ports is None:
            return None if chosen is None else str(chosen)
        return f"{self.ports[0]}-{self.ports[1]}"


def _parse_range(text: str, *, random: bool) -> _Range:
    """Parse the value of `--to-destination` or `--to-source`. Raises ValueError."""
    if text.startswith("["):
        addresses, _, ports = text[1:].partition("]")
        ports = ports.removeprefix(":")
    elif text.count(":") > 1:
        addresses, ports = text, ""
    else:
        addresses, _, ports = text.partition(":")
    first, _, last = addresses.partition("-")
    low = int(ip_address(first)) if first else 0
    span, _, base = ports.partition("/")
    return _Range(
        first=low,
        last=int(ip_address(last)) if last else low,
        ports=_port_span(span),
        base=int(base) if base else None,
        random=random,
        text=text,
    )


def _port_span(text: str) -> tuple[int, int] | None:
    low, _, high = text.partition("-")
    return (int(low), int(high or low)) if low else None


def _is_random(clause: Clause) -> bool:
    return clause.find("--random") is not None or clause.find("--random-fully") is not None


def dnat(clause: Clause) -> Target:
    """`-j DNAT --to-destination`: a new destination; of several addresses, each client is sent to one by a hash."""
    goal = _parse_range(clause.value("--to-destination"), random=_is_random(clause))

    def apply(state: State, context: TraceContext) -> tuple[Effect, ...]:
        if goal.size > _FOLLOWED_ADDRESSES:
            event = DestinationChosen(goal.size, goal.text)
            return (Effect(state=state, event=event, action=Action.DNAT, verdict=RuleVerdict.UNDECIDED),)
        share = Fraction(1, goal.size)
        numbers = range(goal.first, goal.last + 1) if goal.first else (state.destination,)
        return tuple(_to(state, context, number, goal, share) for number in numbers)

    return apply


def redirect(clause: Clause) -> Target:
    """`-j REDIRECT --to-ports`: to the node itself; what comes from elsewhere, to the address of its interface."""
    ports = _port_span(clause.value("--to-ports"))
    goal = _Range(ports=ports, random=_is_random(clause))

    def apply(state: State, context: TraceContext) -> tuple[Effect, ...]:
        number = _own_address(state, context)
        if number is None:
            event = InterfaceAddressUnknown(state.in_interface)
            return (Effect(state=state, event=event, action=Action.DNAT, verdict=RuleVerdict.UNDECIDED),)
        return (_to(state, context, number, goal, Fraction(1)),)

    return apply


def _own_address(state: State, context: TraceContext) -> int | None:
    if state.hook == OUTPUT:
        return int(ip_address("127.0.0.1" if context.family is Family.IPV4 else "::1"))
    return context.address_types.address_on(state.in_interface)


def _to(state: State, context: TraceContext, number: int, goal: _Range, share: Fraction) -> Effect:
    port = goal.destination_port(state.destination_port)
    text = context.endpoint_text(context.address_text(number), goal.port_text(port))
    return Effect(
        state=state.but(destination=number, destination_port=port, dnat=text),
        event=DestinationChanged(context.destination_text(state), text),
        action=Action.DNAT,
        verdict=RuleVerdict.ACCEPT,
        share=share,
    )


def snat(clause: Clause) -> Target:
    """`-j SNAT --to-source`: a new source."""
    goal = _parse_range(clause.value("--to-source"), random=_is_random(clause))

    def apply(state: State, context: TraceContext) -> tuple[Effect, ...]:
        source: int | None = state.source
        if goal.first:
            source = goal.first if goal.size == 1 else None
        after = state.but(source=source, source_port=goal.source_port(state.source_port), snat=goal.text)
        before = None if state.source is None else context.address_text(state.source)
        return (
            Effect(state=after, event=SourceChanged(before, goal.text), action=Action.SNAT, verdict=RuleVerdict.ACCEPT),
        )

    return apply


def masquerade(clause: Clause) -> Target:
    """`-j MASQUERADE`: the source becomes the address of the interface by which the packet leaves."""
    goal = _Range(ports=_port_span(clause.value("--to-ports")), random=_is_random(clause))

    def apply(state: State, context: TraceContext) -> tuple[Effect, ...]:
        interface = None if state.out_interface == "lo" else state.out_interface
        known = context.address_types.address_on(interface) if interface or state.out_interface else None
        after = state.but(source=known, source_port=goal.source_port(state.source_port), masquerade=True)
        event = Masqueraded(None if known is None else context.address_text(known), state.out_interface)
        return (Effect(state=after, event=event, action=Action.MASQUERADE, verdict=RuleVerdict.ACCEPT),)

    return apply


def netmap(clause: Clause) -> Target:
    """`-j NETMAP --to`: the network part of the destination (of the source, when leaving) is replaced."""
    written, _, length = clause.value("--to").partition("/")
    network = ip_address(written)
    everything = (1 << network.max_prefixlen) - 1
    hosts = everything >> int(length or network.max_prefixlen)

    def apply(state: State, context: TraceContext) -> tuple[Effect, ...]:
        if state.hook not in (INPUT, POSTROUTING):
            number = int(network) & ~hosts | state.destination & hosts
            return (_to(state, context, number, _Range(), Fraction(1)),)
        source = None if state.source is None else int(network) & ~hosts | state.source & hosts
        text = clause.value("--to") if source is None else context.address_text(source)
        after = state.but(source=source, snat=text)
        return (Effect(state=after, event=NetworkChanged(text), action=Action.SNAT, verdict=RuleVerdict.ACCEPT),)

    return apply
