"""Faults that nobody thought of: whatever thread they end, they are logged with a traceback, and end the process.

A node whose helper threads are dead looks fine, and serves old rules. Whoever has started the process starts it again.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

import structlog

from pykubeproxy.cluster.manifests import SourceError
from pykubeproxy.daemon.errors import FatalError
from pykubeproxy.daemon.messages import Message, Stop
from pykubeproxy.host.errors import HostError

log = structlog.get_logger()


_FAULT = "internal error; the process ends, and the rules stay in force"


@contextmanager
def faults_logged() -> Iterator[None]:
    """Log what the calling thread raises in the block, and raise FatalError in its place.

    But for errors that are told in one line, because it is known what they mean.
    """
    try:
        yield
    except (HostError, SourceError, FatalError):
        raise
    except Exception as error:
        name = threading.current_thread().name
        log.exception(_FAULT, thread=name)
        raise FatalError(_told(error, name)) from error


@contextmanager
def threads_supervised(inbox: "SimpleQueue[Message]") -> Iterator[None]:
    """While the block lasts, log what ends a thread, whoever has started it, and put Stop into `inbox`."""

    def died(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_type is SystemExit or fault.exc_value is None:
            return
        name = fault.thread.name if fault.thread is not None else "unknown"
        log.error(_FAULT, thread=name, exc_info=fault.exc_value)
        inbox.put(Stop(_told(fault.exc_value, name)))

    before, threading.excepthook = threading.excepthook, died
    try:
        yield
    finally:
        threading.excepthook = before


def _told(error: BaseException, thread: str) -> str:
    return f"internal error in thread {thread}: {type(error).__name__}: {error} (the log tells more)"
