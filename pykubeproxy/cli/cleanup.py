"""`cleanup`: remove what `run` installed."""

import sys

import click

from pykubeproxy.cli.errors import CONTEXT_SETTINGS, FAILED, print_stderr, with_errors
from pykubeproxy.cli.notes import note_ipvs
from pykubeproxy.cli.options import our_options
from pykubeproxy.daemon.cleanup import CleanupResult, TableCleanup, clean_leftovers
from pykubeproxy.daemon.cleanup import cleanup as clean_all
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.explain.summary import summarize


@click.command(context_settings=dict(CONTEXT_SETTINGS), epilog="Example: pykubeproxy cleanup")
@our_options
@with_errors
def cleanup(own_options: OwnOptions) -> None:
    """Remove every chain and rule of a Service proxy from this node, as `kube-proxy --cleanup` does.

    So are the tables that kube-proxy leaves in its nftables mode. KUBE-FIREWALL stays, since kubelet uses it as well;
    other programs' rules are never touched.
    """
    sys.exit(clean_up(own_options))


def clean_up(own_options: OwnOptions) -> int:
    """Clean up, print what was removed where, and return the exit status. Raises HostError."""
    # Everything is removed before anything is printed: a terminal that is gone must not stop the work half-way.
    left, tables = clean_leftovers(own_options)
    everything: list[CleanupResult | TableCleanup] = [*tables, *clean_all(own_options)]
    status = 0
    for cleaned in everything:
        if cleaned.problem is None:
            click.echo(_describe(cleaned))
        else:
            print_stderr(f"Error: {cleaned.problem}")
            status = FAILED
    if not everything:
        click.echo("nothing to remove")
    note_ipvs(left)
    return status


def _describe(cleaned: CleanupResult | TableCleanup) -> str:
    if isinstance(cleaned, TableCleanup):
        return f"nftables: {cleaned.table.title} of kube-proxy's nftables mode deleted"
    where = f"{cleaned.tools.family} ({cleaned.tools.backend})"
    if cleaned.plan.is_empty:
        return f"{where}: nothing to remove"
    text = f"{where}: {summarize(cleaned.plan)}"
    kept = ", ".join(chain for _, chain in cleaned.plan.kept)
    return f"{text}; emptied, but in use by other rules: {kept}" if kept else text
