"""What a command is doing, in one line on a terminal, while that takes long."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

DELAY_SECONDS = 2.0
"""What takes less time than this is done without a word."""

READING_RULES = "reading the rules of this node"
READING_OBJECTS = "reading the objects"

_is_within: ContextVar[bool] = ContextVar("is_within", default=False)


@contextmanager
def progress(doing: str) -> Iterator[None]:
    """Print `doing ...` on stderr if the block takes longer than DELAY_SECONDS, and erase it at the end of the block.

    Nothing is printed where stderr is not a terminal, nor of a part of what has a line already. The block itself should
    print nothing on stderr.
    """
    if _is_within.get() or not sys.stderr.isatty():
        yield
        return
    token = _is_within.set(True)
    line = f"{doing} ..."
    shown = threading.Event()
    timer = threading.Timer(DELAY_SECONDS, _show, (line, shown))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        _is_within.reset(token)
        timer.cancel()
        timer.join()
        if shown.is_set():
            # Spaces erase on every terminal; not every one knows the control sequence for it.
            _write(f"\r{' ' * len(line)}\r")


def _show(line: str, shown: threading.Event) -> None:
    shown.set()
    _write(line)


def _write(text: str) -> None:
    """Write to stderr. A terminal that is gone must not stop the work."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
