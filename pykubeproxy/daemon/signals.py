"""Ending on a signal, whatever the main thread is doing."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Seconds until the end is asked for again. To give up what was going on takes a fraction of that.
_REPEATED_AFTER = 0.5

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Terminated(BaseException):
    """A signal has asked the process to end; raised on the main thread, wherever it is.

    iptables-restore, if it is being fed, sees the end of its input, and drops what was not committed.
    """


@contextmanager
def terminating_on_signals() -> Iterator[None]:
    """Have SIGTERM and SIGINT raise Terminated out of the block. For the main thread, once in the life of a process.

    To raise once may not be enough: what is raised in a finalizer or in a callback of the collector is printed and
    dropped by the interpreter. So a timer raises again until the block is left. Further signals are ignored, also
    behind the block: they must not interrupt the ending.
    """
    asking = _Asking()
    for number in _SIGNALS:
        signal.signal(number, asking.first)
    signal.signal(signal.SIGALRM, asking.again)
    try:
        yield
    finally:
        asking.is_heard = True
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Asking:
    """The handlers. None of them raises once `is_heard`, though the signal may be on its way."""

    def __init__(self) -> None:
        self.is_heard = False
        self._why = ""

    def first(self, number: int, frame: FrameType | None) -> None:
        del frame
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        self._why = signal.Signals(number).name
        if not self.is_heard:
            signal.setitimer(signal.ITIMER_REAL, _REPEATED_AFTER, _REPEATED_AFTER)
            raise Terminated(self._why)

    def again(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self.is_heard:
            raise Terminated(self._why)
