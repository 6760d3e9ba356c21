"""`version`: what is installed here."""

import platform

import click

from pykubeproxy.cli.errors import CONTEXT_SETTINGS, with_errors
from pykubeproxy.config.release import program_version
from pykubeproxy.host import backend as backends
from pykubeproxy.host.backend import Backend
from pykubeproxy.host.errors import HostError, ToolMissing
from pykubeproxy.model.ip import Family


@click.command(context_settings=dict(CONTEXT_SETTINGS), epilog="Example: pykubeproxy version")
@with_errors
def version() -> None:
    """Print the versions of this program, of Python, and of the iptables tools found."""
    click.echo(f"pykubeproxy {program_version()}")
    click.echo(f"python {platform.python_version()}")
    for family in Family:
        for backend in Backend:
            try:
                tools = backends.find_tools(family, backend)
            except ToolMissing:
                continue
            click.echo(f"{tools.program} {tools.version_text}")
        click.echo(f"{family} backend in use: {_detected(family)}")


def _detected(family: Family) -> str:
    try:
        return backends.detect(family, may_load=False).backend
    except HostError as error:
        return f"unknown: {error}"
