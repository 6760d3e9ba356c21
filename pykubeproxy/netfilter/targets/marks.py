"""Targets that change marks: MARK and CONNMARK."""

from collections.abc import Callable

from pykubeproxy.netfilter.effect import Action, Effect, Target
from pykubeproxy.netfilter.events import ConnectionMarked, HasNoConnection, Marked
from pykubeproxy.netfilter.matches.mark import ALL_BITS, value_and_mask
from pykubeproxy.netfilter.packet import WITHOUT_CONNECTION
from pykubeproxy.netfilter.state import State, TraceContext
from pykubeproxy.netfilter.syntax import Clause

# Every operation of MARK and CONNMARK is "clear these bits, then flip those".
ClearAndFlip = tuple[int, int]

_OPERATIONS: dict[str, Callable[[int, int], ClearAndFlip]] = {
    "--set-xmark": lambda value, mask: (mask, value),
    "--set-mark": lambda value, mask: (mask | value, value),
    "--and-mark": lambda value, _mask: (ALL_BITS ^ value, 0),
    "--or-mark": lambda value, _mask: (value, value),
    "--xor-mark": lambda value, _mask: (0, value),
}


def mark(clause: Clause) -> Target:
    """`-j MARK`: a new mark for the packet."""
    clear, flip = _clear_and_flip(clause)

    def apply(state: State, _context: TraceContext) -> tuple[Effect, ...]:
        return (_marked(state, _changed(state.mark, clear, flip)),)

    return apply


def connmark(clause: Clause) -> Target:
    """`-j CONNMARK`: a new mark for the connection, or for the packet from its connection."""
    save, restore = clause.find("--save-mark"), clause.find("--restore-mark")
    clear, flip = (0, 0) if save or restore else _clear_and_flip(clause)
    both = clause.value("--mask", hex(ALL_BITS))
    packet_bits = int(clause.value("--nfmask", both), 0)
    connection_bits = int(clause.value("--ctmask", both), 0)

    def apply(state: State, _context: TraceContext) -> tuple[Effect, ...]:
        if state.tracking in WITHOUT_CONNECTION:
            return (Effect(state=state, event=HasNoConnection(), action=Action.MARK),)
        if restore:
            return (_marked(state, _changed(state.mark, packet_bits, _bits(state.connection_mark, connection_bits))),)
        if save:
            new = _changed(state.connection_mark, connection_bits, _bits(state.mark, packet_bits))
        else:
            new = _changed(state.connection_mark, clear, flip)
        event = ConnectionMarked(state.connection_mark, new)
        return (Effect(state=state.but(connection_mark=new), event=event, action=Action.MARK),)

    return apply


def _clear_and_flip(clause: Clause) -> ClearAndFlip:
    option = next((option for option in clause.options if option.name in _OPERATIONS), None)
    if option is None:
        raise ValueError(clause.text)
    return _OPERATIONS[option.name](*value_and_mask(option.value))


def _bits(number: int | None, mask: int) -> int | None:
    return None if number is None else number & mask


def _changed(number: int | None, clear: int, flip: int | None) -> int | None:
    if flip is None:
        return None
    if clear == ALL_BITS:
        return flip
    return None if number is None else number & ~clear & ALL_BITS ^ flip


def _marked(state: State, new: int | None) -> Effect:
    return Effect(state=state.but(mark=new), event=Marked(state.mark, new), action=Action.MARK)
