"""The command line: arguments and printing, nothing else."""

import sys

if "rich" not in sys.modules:
    # structlog loads all of rich where there is one, for tracebacks in colours that no log here shows: a tenth of the
    # memory of a daemon with little to do, and of the time that it takes to start.
    sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog  # noqa: F401

    del sys.modules["rich"]
