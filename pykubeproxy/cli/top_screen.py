"""The terminal while `top` runs: the alternate screen, and the key that ends it."""

import os
import select
import signal
import sys
import termios
import time
import tty
from contextlib import ExitStack, suppress
from types import FrameType
from typing import NoReturn, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

_QUIT = b"qQ"


class Screen:
    """The whole terminal; at the end it is as it was before, also after an interrupt or SIGTERM."""

    def __init__(self, console: Console) -> None:
        self._live = Live(Text("measuring ... (q quits)"), console=console, screen=True, auto_refresh=False)
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

    def show(self, picture: RenderableType) -> None:
        """Replace what is on the screen."""
        self._live.update(picture, refresh=True)

    def wait(self, seconds: float) -> bool:
        """Wait; true as soon as the user wants to quit."""
        deadline = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select(self._keyboards, [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return False
            keys = _pressed(ready[0])
            # Nothing to read means that the terminal is gone.
            if not keys or set(keys) & set(_QUIT):
                return True


def _pressed(keyboard: int) -> bytes:
    with suppress(OSError):
        return os.read(keyboard, 64)
    return b""


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
