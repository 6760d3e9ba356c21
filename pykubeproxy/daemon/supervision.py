"""Unexpected exceptions: in whatever thread they occur, they are logged with a traceback, and end the process.

If a helper thread died alone, the node would look healthy and go on with old rules. When the process ends, kubelet or
systemd starts it again.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from pykubeproxy import logger
from pykubeproxy.cluster.manifests import SourceError
from pykubeproxy.daemon.messages import FatalError, Message, Stop
from pykubeproxy.host.errors import HostError

log = logger.get()


_FAULT = "internal error; the process ends, and the rules stay in force"


@contextmanager
def faults_logged() -> Iterator[None]:
    """Log with a traceback what the block raises, and raise FatalError instead.

    Errors of which the meaning is known pass through: they are reported in one line.
    """
    try:
        yield
    except (HostError, SourceError, FatalError):
        raise
    except Exception as error:
        name = threading.current_thread().name
        log.exception(_FAULT, thread=name)
        raise FatalError(_in_one_line(error, name)) from error


@contextmanager
def threads_supervised(inbox: "SimpleQueue[Message]") -> Iterator[None]:
    """While the block lasts, log the exception that ends a thread, and put Stop into `inbox`."""

    def died(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_type is SystemExit or fault.exc_value is None:
            return
        name = fault.thread.name if fault.thread is not None else "unknown"
        log.error(_FAULT, thread=name, exc_info=fault.exc_value)
        inbox.put(Stop(_in_one_line(fault.exc_value, name)))

    before, threading.excepthook = threading.excepthook, died
    try:
        yield
    finally:
        threading.excepthook = before


def _in_one_line(error: BaseException, thread: str) -> str:
    return f"internal error in thread {thread}: {type(error).__name__}: {error} (see the log)"
