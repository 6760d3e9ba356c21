"""How commands fail: each error is one line on stderr, and an exit status."""

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from pykubeproxy.cli.help import GroupedHelp
from pykubeproxy.cli.interrupts import INTERRUPTED, raise_interrupts
from pykubeproxy.logger import DEBUG_VERBOSITY, before_first_line
from pykubeproxy.model.errors import ReportedError

_R = TypeVar("_R")

DIFFERENT = 1
"""The exit status of `diff` where there is a difference."""

NOT_IN_SYNC = 1
"""The exit status of `run --once` where the node is not in sync."""

FAILED = 2
"""The exit status of a command that could not do its work."""

KUBE_PROXY_FAILED = 1
"""The exit status of the command `kube-proxy` for any error, as of the real one."""

BROKEN_PIPE = 141
"""The exit status if nobody reads the output any more: that of a shell for SIGPIPE."""


# Commands that read the rules of the node where they run, and can do nothing else.
_LIVE_ONLY = ("cleanup", "top")


def with_errors(command: Callable[..., _R], status: int = FAILED) -> Callable[..., _R]:
    """Make a command end with one line on stderr, and with `status`, whatever error it meets.

    An error that nobody thought of is shown with its traceback if `-v` is 4 or more. What would be logged as a warning
    is a note, until `run` sets up its log.
    """

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> _R:
        raise_interrupts()
        before_first_line(_log_as_notes)
        try:
            return command(*args, **kwargs)
        except ReportedError as error:
            fail(_reported(error), status)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if int(kwargs.get("flags", {}).get("v", 0)) >= DEBUG_VERBOSITY:
                raise
            what = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            hint = f" (-v {DEBUG_VERBOSITY} tells more)" if "flags" in kwargs else ""
            fail(f"{' '.join(what.split())}{hint}", status)

    return guarded


def _reported(error: ReportedError) -> str:
    """The text of an error; for want of rights, with the advice of commands that read the rules of a node once."""
    context = click.get_current_context(silent=True)
    if not error.needs_root or context is None:
        return str(error)
    has_dumps = any(option.name == "dumps" for option in context.command.params)
    if not has_dumps and context.info_name not in _LIVE_ONLY:
        return str(error)
    # Root may lack what it needs in a container.
    advice = "run it with sudo" if os.geteuid() else "it needs CAP_NET_ADMIN and CAP_NET_RAW"
    return f"{context.info_name} reads this node's rules: {advice}{', or give --live FILE' * has_dumps}; {error.what}"


def _log_as_notes() -> None:
    from pykubeproxy.observe.logs import set_up_notes  # noqa: PLC0415  loads structlog

    set_up_notes()


def fail(text: str, status: int = FAILED) -> NoReturn:
    """End with one line on stderr."""
    print_stderr(f"Error: {text}")
    _discard_unwritable()
    sys.exit(status)


def print_stderr(text: str) -> None:
    """Print one line on stderr. If that fails, nothing else does: the exit status tells what happened."""
    with suppress(OSError):
        click.echo(text, err=True)


def _discard_unwritable() -> None:
    """Lead stdout and stderr to /dev/null if what is left in their buffers cannot be written.

    Python flushes both at exit. If that fails, it prints a complaint, and the exit status is 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with Path(os.devnull).open("w", encoding="utf-8") as null:
                os.dup2(null.fileno(), stream.fileno())


def open_missing_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr was closed before the start.

    A new file gets the lowest descriptor that is free. Without this, some socket or pipe would get the number of
    stderr, and messages of this program and of the tools that it calls would be written there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode)  # noqa: SIM115  for as long as the process lives
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


@contextmanager
def _ending_on_broken_pipe() -> Iterator[None]:
    """End the process quietly if the reader of stdout has gone; click would end it with 1."""
    try:
        yield
    except BrokenPipeError:
        _discard_unwritable()
        sys.exit(BROKEN_PIPE)


class OneLineErrors(GroupedHelp):
    """A command that ends the process, with one line on stderr if its arguments are wrong."""

    usage_status: int | None = None
    """The exit status for a mistake in the arguments; click's own if None."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the arguments; help is printed here, also where a command is missing."""
        with _ending_on_broken_pipe():
            try:
                return super().make_context(*args, **extra)
            except click.exceptions.NoArgsIsHelpError as error:
                click.echo(error.message)
                raise click.exceptions.Exit from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _ending_on_broken_pipe():
            return super().invoke(ctx)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and end the process."""
        open_missing_streams()
        try:
            status = super().main(*args, **{**extra, "standalone_mode": False})
        except click.UsageError as error:
            hint = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
            problem = " ".join(error.format_message().split()).removesuffix(".")
            fail(f"{problem}{hint}", error.exit_code if self.usage_status is None else self.usage_status)
        except click.Abort:
            fail("interrupted", INTERRUPTED)
        except OSError as error:
            # Help, which click prints before the command runs, could not be written.
            fail(str(error))
        sys.exit(status if isinstance(status, int) else 0)


class OneLineGroup(OneLineErrors, click.Group):
    """A command with subcommands, whose errors are one line on stderr."""

    command_class = GroupedHelp

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, with the whole of the first sentence on each."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, its.get_short_help_str(sys.maxsize)) for name, its in self.commands.items()])
