"""`status`: how the node is."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from pykubeproxy.cli.color import color_option
from pykubeproxy.cli.errors import with_errors
from pykubeproxy.cli.help import node_command
from pykubeproxy.cli.status_output import as_json, as_text
from pykubeproxy.cli.status_reading import read_state
from pykubeproxy.config.flag_types import ADDRESS_AND_PORT
from pykubeproxy.explain.status.assessment import assess, exit_status
from pykubeproxy.explain.status.nftables_move import MoveFacts
from pykubeproxy.explain.status.node_state import NodeState
from pykubeproxy.explain.status.observations import Observation

_R = TypeVar("_R")

_JSON = "json"


class _AddressType(click.ParamType[str]):
    """`IP` or `IP:port` of a server of the running proxy."""

    name = ADDRESS_AND_PORT.metavar

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it as kube-proxy's flag of the same name does."""
        try:
            return str(ADDRESS_AND_PORT.read(str(value)) or "")
        except ValueError as error:
            self.fail(str(error), param, ctx)


_OPTIONS = (
    click.option(
        "-o", "--output", type=click.Choice(["text", _JSON]), default="text", show_default=True, help="What to print."
    ),
    click.option(
        "--metrics-bind-address",
        "metrics",
        type=_AddressType(),
        default="",
        help="Where the running proxy serves its metrics; else as its command line or its configuration says.",
    ),
    click.option(
        "--healthz-bind-address",
        "health",
        type=_AddressType(),
        default="",
        help="Where the running proxy serves its health; else as its configuration says.",
    ),
)


def status_options(command: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command the options of `status`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return color_option(command)


@node_command("pykubeproxy status")
@status_options
@with_errors
def status(**options: Any) -> None:
    """Show how this node is: its Service proxy, its rules, and what in the kernel may disturb them.

    The proxy that runs here, this one or kube-proxy, is asked over its own HTTP servers; the kernel is asked for the
    rest, without reading all rules. Each line that is not well is followed by what to do. Much is seen without root.
    `pykubeproxy check` shows the same, and tells by its exit status.
    """
    show(**options)


def show(*, output: str, metrics: str, health: str) -> int:
    """Print how the node is; return what `check` exits with."""
    state = read_state(metrics, health)
    return print_observations(output, state, assess(state))


def print_observations(output: str, state: NodeState | MoveFacts, observations: Sequence[Observation]) -> int:
    """Print what was observed, and of what it follows; return what `check` exits with."""
    if output == _JSON:
        click.echo(as_json(state, observations))
    else:
        click.echo("\n".join(as_text(state, observations)))
    return exit_status(observations)
