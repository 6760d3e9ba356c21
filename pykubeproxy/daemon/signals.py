"""SIGTERM and SIGINT end the process, whatever the main thread is doing."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Seconds until Terminated is raised again. Normally, the block has been left long before.
_REPEATED_AFTER = 0.5

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Terminated(BaseException):
    """A signal asks the process to end; raised on the main thread, wherever it is.

    If iptables-restore is reading its input then, it sees the end of it, and drops what was not committed.
    """


@contextmanager
def terminating_on_signals() -> Iterator[None]:
    """SIGTERM and SIGINT raise Terminated in the block. For the main thread, once in the life of a process.

    One exception may not be enough: the interpreter prints and drops what is raised in a finalizer or in a callback of
    the garbage collector. So a timer raises it again until the block is left. Further signals are ignored, also after
    the block: they must not interrupt the cleaning up.
    """
    handlers = _Handlers()
    for number in _SIGNALS:
        signal.signal(number, handlers.first)
    signal.signal(signal.SIGALRM, handlers.again)
    try:
        yield
    finally:
        handlers.is_left = True
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Handlers:
    """The signal handlers. None of them raises once the block has been left (`is_left`)."""

    def __init__(self) -> None:
        self.is_left = False
        self._why = ""

    def first(self, number: int, frame: FrameType | None) -> None:
        del frame
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        self._why = signal.Signals(number).name
        if not self.is_left:
            signal.setitimer(signal.ITIMER_REAL, _REPEATED_AFTER, _REPEATED_AFTER)
            raise Terminated(self._why)

    def again(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if not self.is_left:
            raise Terminated(self._why)
