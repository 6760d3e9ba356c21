"""The `pykubeproxy` command."""

import sys
from typing import Any, NoReturn

import click

from pykubeproxy.cli.cleanup import cleanup
from pykubeproxy.cli.common import fail
from pykubeproxy.cli.diff import diff
from pykubeproxy.cli.render import render
from pykubeproxy.cli.run import run
from pykubeproxy.cli.version import version


class _Commands(click.Group):
    """Tells a mistake in the command line as every other error is told: in one line."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        try:
            status = super().main(*args, **{**extra, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            hint = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
            fail(f"{' '.join(error.format_message().split()).removesuffix('.')}{hint}", error.exit_code)
        except click.Abort:
            fail("interrupted", 1)
        sys.exit(status if isinstance(status, int) else 0)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: pykubeproxy render -f examples/ --family ipv4",
)
def main() -> None:
    """The Service proxy of a Kubernetes node: kube-proxy's iptables mode, which can explain itself."""


for _command in (run, render, diff, cleanup, version):
    main.add_command(_command)
