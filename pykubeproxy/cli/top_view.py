"""What the user of the live table has chosen with its keys: order, filter, pause, and how far it is scrolled. Pure."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Self

import msgspec
from msgspec.structs import replace

from pykubeproxy.model.ip import parse_ip
from pykubeproxy.traffic.rates import EndpointRate, Rates, ServiceRate

_PAGE = 10
_QUIT = ("q", "Q")


class Sort(StrEnum):
    """What Services are sorted by: connections in all intervals that are remembered, so that places rarely change."""

    CONNECTIONS = "connections"
    REFUSED = "refused"
    NAME = "name"


class Key(StrEnum):
    """A key that has no character of its own."""

    UP = "up"
    DOWN = "down"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    ENTER = "enter"
    ESCAPE = "escape"
    BACKSPACE = "backspace"


# What a terminal sends for them (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
_SEQUENCES = {
    "\x1b[A": Key.UP,
    "\x1bOA": Key.UP,
    "\x1b[B": Key.DOWN,
    "\x1bOB": Key.DOWN,
    "\x1b[5~": Key.PAGE_UP,
    "\x1b[6~": Key.PAGE_DOWN,
    "\r": Key.ENTER,
    "\n": Key.ENTER,
    "\x7f": Key.BACKSPACE,
    "\b": Key.BACKSPACE,
    "\x1b": Key.ESCAPE,
}
_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|.", re.DOTALL)
_STEPS = {Key.UP: -1, Key.DOWN: 1, Key.PAGE_UP: -_PAGE, Key.PAGE_DOWN: _PAGE}


def keys_in(typed: str) -> Iterator[str]:
    """The keys that a terminal has sent, each a Key or a character; those that mean nothing are left out."""
    for found in _SEQUENCE.findall(typed):
        if found in _SEQUENCES:
            yield _SEQUENCES[found]
        elif found.isprintable():
            yield found


class TopView(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of the rates, and how. `first` is the number of lines that are scrolled away.

    Only Services with `filter` in their names are shown; `is_typing` it takes all keys.
    """

    sort: Sort = Sort.CONNECTIONS
    filter: str = ""
    is_typing: bool = False
    is_paused: bool = False
    is_over: bool = False
    first: int = 0

    def after(self, key: str) -> Self:
        """The view after one key, a Key or a character."""
        if key in _STEPS:
            return replace(self, first=max(0, self.first + _STEPS[Key(key)]))
        return self._after_typed(key) if self.is_typing else self._after_command(key)

    def _after_typed(self, key: str) -> Self:
        match key:
            case Key.ENTER:
                return replace(self, is_typing=False)
            case Key.ESCAPE:
                return replace(self, is_typing=False, filter="", first=0)
            case Key.BACKSPACE:
                return replace(self, filter=self.filter[:-1], first=0)
        return replace(self, filter=self.filter + key, first=0)

    def _after_command(self, key: str) -> Self:
        match key:
            case "s":
                kinds = list(Sort)
                return replace(self, sort=kinds[(kinds.index(self.sort) + 1) % len(kinds)], first=0)
            case "/":
                return replace(self, is_typing=True)
            case " ":
                return replace(self, is_paused=not self.is_paused)
            case Key.ESCAPE:
                return replace(self, filter="", first=0)
        return replace(self, is_over=True) if key in _QUIT else self

    def arranged(self, rates: Rates, limit: int) -> Rates:
        """The Services to show, in an order that changes as little as possible; endpoints in that of their addresses.

        Of more than `limit` endpoints, those with the most connections come first.
        """
        services = [each for each in rates.services if self.filter in each.service]
        return replace(rates, services=tuple(_with_order(each, limit) for each in sorted(services, key=self._place)))

    def _place(self, rate: ServiceRate) -> tuple[float, str, str, str]:
        served = sum(rate.history)
        refused = sum(sum(each.history) for each in rate.refusals)
        first = {Sort.CONNECTIONS: -served - refused, Sort.REFUSED: -refused, Sort.NAME: 0.0}[self.sort]
        return first, rate.service, rate.protocol, rate.family


def _with_order(rate: ServiceRate, limit: int) -> ServiceRate:
    busiest = sorted(rate.endpoints, key=lambda each: (-sum(each.history), _place_of(each)))
    shown = sorted(busiest[:limit], key=_place_of)
    return replace(rate, endpoints=(*shown, *busiest[limit:]))


def _place_of(rate: EndpointRate) -> tuple[int, int]:
    address, _, port = rate.endpoint.rpartition(":")
    ip = parse_ip(address.strip("[]"))
    return ip.number if ip is not None else 0, int(port) if port.isdecimal() else 0
