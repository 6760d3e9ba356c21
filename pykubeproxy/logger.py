"""Loggers that load structlog with the first line that is logged.

Loading it takes longer than most commands do, and only the daemon logs much. A module has
`log = logger.get()`, and logs as with structlog.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# The verbosity from which on whatever may help to debug the program is logged, as kube-proxy's -v counts.
DEBUG_VERBOSITY = 4

# The verbosity from which on each Service that a sync touches has a line of its own.
SERVICES_VERBOSITY = 2

_before_first_line: Callable[[], None] | None = None
_verbosity = 0


def get() -> "FilteringBoundLogger":
    """A logger; what it needs is loaded when it is used."""
    return cast("FilteringBoundLogger", _Logger())


def before_first_line(set_up: Callable[[], None] | None) -> None:
    """Have `set_up` called before the next line is logged; None: call nothing."""
    global _before_first_line  # noqa: PLW0603  a process has one log
    _before_first_line = set_up


def set_verbosity(verbosity: int) -> None:
    """Remember how much is to be logged."""
    global _verbosity  # noqa: PLW0603  a process has one log
    _verbosity = verbosity


def logs_services() -> bool:
    """True if each Service that a sync touches is to be logged."""
    return _verbosity >= SERVICES_VERBOSITY


class _Logger:
    def __getattr__(self, method: str) -> Any:
        load_structlog()
        import structlog  # noqa: PLC0415

        if _before_first_line is not None:
            set_up = _before_first_line
            before_first_line(None)
            set_up()
        return getattr(structlog.get_logger(), method)


def load_structlog() -> None:
    """Import structlog without what it imports for features that no log here has.

    That is rich, for tracebacks in colours, which it can do without, and asyncio, for loggers of its own kind.
    """
    if "structlog" in sys.modules:
        return
    unused = {"rich": None, "asyncio": ModuleType("asyncio")}
    hidden = {name: module for name, module in unused.items() if name not in sys.modules}
    sys.modules.update(cast("dict[str, ModuleType]", hidden))
    import structlog  # noqa: F401, PLC0415

    for name in hidden:
        del sys.modules[name]
