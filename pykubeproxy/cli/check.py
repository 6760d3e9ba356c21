"""`check`: how the node is, for scripts."""

import sys
from typing import Any

import click

from pykubeproxy.cli.errors import CONTEXT_SETTINGS, with_errors
from pykubeproxy.cli.status import show, status_options


@click.command(context_settings=dict(CONTEXT_SETTINGS), epilog="Example: pykubeproxy check --output json")
@status_options
@with_errors
def check(**options: Any) -> None:
    """Show what `pykubeproxy status` shows; the exit status says whether this node is well.

    0 if nothing is wrong, though there may be notes; 1 if something is wrong; 2 if that cannot be found out, for
    example since only root may see the rules.
    """
    sys.exit(show(**options))
