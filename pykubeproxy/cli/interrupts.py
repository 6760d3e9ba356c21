"""Ctrl-C: it ends a command with one line and one exit status, whenever it comes.

While a program is being loaded, there is nothing to clean up, so the process just ends: a KeyboardInterrupt in the
midst of an import would be shown with its traceback. Afterwards, a KeyboardInterrupt is raised wherever the program is.
Python drops it, though, if a finalizer or a callback of the interpreter is running just then; so SIGINT is sent again.
"""

import _thread
import os
import signal
import sys
import time
from contextlib import suppress

INTERRUPTED = 130
"""The exit status after Ctrl-C: that of a shell for SIGINT."""

# Seconds until SIGINT is sent again; most finalizers are done by then.
_REPEATED_AFTER = 0.01


def end_at_once() -> None:
    """Have SIGINT end the process, until `raise_interrupts` is called. Where it is ignored, it stays so (`nohup`)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_interrupts() -> None:
    """Have SIGINT raise KeyboardInterrupt again: what runs from now on may have to clean up."""
    if signal.getsignal(signal.SIGINT) is _end:
        sys.unraisablehook = _dropped
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: object) -> None:
    del number, frame
    os.write(2, b"Error: interrupted\n")
    os._exit(INTERRUPTED)


def _dropped(unraisable: "sys.UnraisableHookArgs") -> None:
    """An exception was dropped: what this function raises would be, too. Signals are handled by the thread it is on."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    # At the very end of the process, there are no more threads, and nothing to interrupt.
    with suppress(RuntimeError):
        _thread.start_new_thread(_interrupt_again, (_thread.get_ident(),))


def _interrupt_again(main_thread: int) -> None:
    time.sleep(_REPEATED_AFTER)
    signal.pthread_kill(main_thread, signal.SIGINT)
