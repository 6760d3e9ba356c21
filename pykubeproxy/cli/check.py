"""`check`: how the node is, for scripts."""

import sys
from typing import Any

import click

from pykubeproxy.cli.errors import with_errors
from pykubeproxy.cli.help import node_command
from pykubeproxy.cli.nftables_reading import read_move
from pykubeproxy.cli.status import print_observations, show, status_options
from pykubeproxy.explain.status.nftables_move import assess_move

_NFTABLES = "nftables"


@node_command("pykubeproxy check --output json")
@status_options
@click.option(
    "--for", "wanted", type=click.Choice([_NFTABLES]), help="What a move to this mode of kube-proxy would change here."
)
@with_errors
def check(wanted: str | None, **options: Any) -> None:
    """Show what `pykubeproxy status` shows; the exit status says whether this node is well.

    0 if nothing is wrong, though there may be notes; 1 if something is wrong; 2 if that cannot be found out, for
    example since only root may see the rules. With --for nftables: what would not work any more in kube-proxy's
    nftables mode on this node, by its rules, counters and open connections.
    """
    sys.exit(show(**options) if wanted is None else _show_move(**options))


def _show_move(*, output: str, metrics: str, health: str) -> int:
    facts = read_move(metrics, health)
    return print_observations(output, facts, assess_move(facts))
