"""Ctrl-C while a program is being loaded.

A KeyboardInterrupt in the midst of an import would be shown with its traceback, or be lost in a callback of the
interpreter. There is nothing to clean up yet, so the process just ends.
"""

import os
import signal

INTERRUPTED = 130
"""The exit status after Ctrl-C: that of a shell for SIGINT."""


def end_at_once() -> None:
    """Have SIGINT end the process, until `raise_interrupts` is called. Where it is ignored, it stays so (`nohup`)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_interrupts() -> None:
    """Have SIGINT raise KeyboardInterrupt again: what runs from now on may have to clean up."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: object) -> None:
    del number, frame
    os.write(2, b"Error: interrupted\n")
    os._exit(INTERRUPTED)
