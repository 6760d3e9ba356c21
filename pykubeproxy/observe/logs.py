"""Logs on stderr: for people (`console`) or for programs (`json`)."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import TextIO, cast

from pykubeproxy import logger
from pykubeproxy.logger import DEBUG_VERBOSITY, before_first_line, load_structlog
from pykubeproxy.model.printable import printable

load_structlog()

import structlog  # noqa: E402
from structlog.typing import EventDict, Processor, WrappedLogger  # noqa: E402


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


class LossyStream:
    """A text stream that drops what cannot be written: on a full disk, to a pipe without a reader, or if it is closed.

    The daemon has to go on also if nothing can be logged.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if possible."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def set_up(log_format: LogFormat, verbosity: int) -> None:
    """Set up structlog for the process. Nothing is ever logged to stdout, which belongs to data."""
    renderer: Processor
    if log_format is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    _log_to_stderr((structlog.processors.add_log_level, stamp), renderer)
    set_verbosity(verbosity)


def set_up_notes() -> None:
    """Set up structlog for a command that answers one question: warnings and errors only, each as a note."""
    _log_to_stderr((), _as_note)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))


def _log_to_stderr(first: Sequence[Processor], renderer: Processor) -> None:
    structlog.configure(
        processors=[*first, _on_one_line, structlog.processors.ExceptionRenderer(), _indented, renderer],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", LossyStream(sys.stderr))),
    )
    before_first_line(None)


def _as_note(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """`note: running in single-stack mode (without IPv6, why: there is no ip6tables)`."""
    what, exception = event.pop("event"), event.pop("exception", "")
    fields = ", ".join(f"{name} {value}" for name, value in event.items())
    return "\n".join(filter(None, [f"note: {what} ({fields})" if fields else f"note: {what}", exception]))


def set_verbosity(verbosity: int) -> None:
    """Log as much as this from now on."""
    logger.set_verbosity(verbosity)
    level = "debug" if verbosity >= DEBUG_VERBOSITY else "info"
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))


def _on_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters, so that no logged text begins a new line or changes the reader's terminal."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}


def _indented(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Indent and escape the lines of a traceback, so that none of them looks like a line of the log."""
    if isinstance(trace := event.get("exception"), str):
        event["exception"] = "\n".join(f"    {printable(line)}" for line in trace.split("\n"))
    return event
