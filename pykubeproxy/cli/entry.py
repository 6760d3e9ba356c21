"""Commands that tell a mistake in the command line as every other error is told: in one line."""

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from pykubeproxy.cli.common import fail


def open_missing_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr was closed before the start.

    A new file gets the lowest number that is free. Without this, that would be some socket or pipe, to which everything
    would be written that this program or a tool that it calls has to say.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode)  # noqa: SIM115  for as long as the process lives
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


class OneLineErrors(click.Command):
    """A command that ends the process with one line on stderr for whatever was wrong with its arguments."""

    usage_status: int | None = None
    """The exit status for a mistake in the arguments; click's own if None."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and end the process."""
        open_missing_streams()
        try:
            status = super().main(*args, **{**extra, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            hint = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
            problem = " ".join(error.format_message().split()).removesuffix(".")
            fail(f"{problem}{hint}", error.exit_code if self.usage_status is None else self.usage_status)
        except click.Abort:
            fail("interrupted", 1)
        except OSError as error:
            # Of what is printed without a command's being run, such as its help.
            fail(str(error))
        sys.exit(status if isinstance(status, int) else 0)


class OneLineGroup(OneLineErrors, click.Group):
    """A command with subcommands, whose errors are one line on stderr."""
