"""The terminal while `top` runs: the alternate screen, and the keys that change it."""

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType
from typing import NoReturn, Self

from msgspec.structs import replace
from rich.console import Console, RenderableType
from rich.live import Live

from pykubeproxy.cli.top_view import TopView, keys_in
from pykubeproxy.traffic.rates import Rates

Draw = Callable[[Rates | None, TopView], tuple[RenderableType, int]]
"""Makes what is to be seen, and says how many lines are scrolled away; before the first interval there are no rates."""

_PATIENCE = 120
"""Seconds after which a terminal that takes no output is given up, and the process ends."""


class Screen:
    """The whole terminal; at the end it is as it was before, also after an interrupt or SIGTERM."""

    def __init__(self, console: Console, draw: Draw) -> None:
        self._draw = draw
        self._rates: Rates | None = None
        self._view = TopView()
        self._live = Live(draw(None, self._view)[0], console=console, screen=True, auto_refresh=False)
        self._keyboards = [sys.stdin.fileno()] if sys.stdin.isatty() else []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, _end))
        for keyboard in self._keyboards:
            before = termios.tcgetattr(keyboard)
            self._stack.callback(termios.tcsetattr, keyboard, termios.TCSADRAIN, before)
            tty.setcbreak(keyboard)
        self._stack.enter_context(self._live)
        self._live.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def show(self, rates: Rates) -> None:
        """Replace what is on the screen, unless the user wants it to stay."""
        if not self._view.is_paused:
            self._rates = rates
            self._refresh()

    def wait(self, seconds: float) -> bool:
        """Wait, and do what keys ask for; true as soon as the user wants to quit."""
        deadline = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select(self._keyboards, [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return False
            typed = _typed(ready[0])
            for key in keys_in(typed):
                self._view = self._view.after(key)
            # Nothing to read means that the terminal is gone.
            if not typed or self._view.is_over:
                return True
            self._refresh()

    def _refresh(self) -> None:
        picture, first = self._draw(self._rates, self._view)
        self._view = replace(self._view, first=first)
        # A terminal at the other end of `kubectl exec` may go away unnoticed: then writing to it takes for ever.
        signal.alarm(_PATIENCE)
        self._live.update(picture, refresh=True)
        signal.alarm(0)


def _typed(keyboard: int) -> str:
    with suppress(OSError):
        return os.read(keyboard, 64).decode(errors="replace")
    return ""


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
