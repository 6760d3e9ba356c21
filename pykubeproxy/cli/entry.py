"""Commands that tell a mistake in the command line as every other error is told: in one line."""

import sys
from typing import Any, NoReturn

import click

from pykubeproxy.cli.common import fail


class OneLineErrors(click.Command):
    """A command that ends the process with one line on stderr for whatever was wrong with its arguments."""

    usage_status: int | None = None
    """The exit status for a mistake in the arguments; click's own if None."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and end the process."""
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
        sys.exit(status if isinstance(status, int) else 0)


class OneLineGroup(OneLineErrors, click.Group):
    """The same for a command with subcommands."""
