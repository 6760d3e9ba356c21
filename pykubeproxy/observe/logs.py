"""Logs on stderr: for people (`console`) or for programs (`json`)."""

import os
import sys
from enum import StrEnum

import structlog


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


# Verbosities as kube-proxy's -v counts them: 0 is for operators, 4 for those who debug the program.
DEBUG_VERBOSITY = 4


def set_up(log_format: LogFormat, verbosity: int) -> None:
    """Set up structlog for the process. Nothing is ever logged to stdout, which belongs to data."""
    level = "debug" if verbosity >= DEBUG_VERBOSITY else "info"
    renderer: structlog.typing.Processor
    if log_format is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and "NO_COLOR" not in os.environ)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
