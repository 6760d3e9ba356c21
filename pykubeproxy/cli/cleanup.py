"""`cleanup`: remove what `run` installed."""

import sys

import click

from pykubeproxy.cli.errors import DIFFERENT, FAILED, fail, print_stderr, with_errors
from pykubeproxy.cli.help import node_command
from pykubeproxy.cli.notes import note_ipvs
from pykubeproxy.cli.options import our_options
from pykubeproxy.cli.progress import READING_RULES, progress
from pykubeproxy.daemon.cleanup import CleanupResult, TableCleanup, clean_leftovers
from pykubeproxy.daemon.cleanup import cleanup as clean_all
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.explain.summary import summarize
from pykubeproxy.host.processes import service_proxies


@node_command("pykubeproxy cleanup --dry-run")
@click.option("--dry-run", "is_dry", is_flag=True, help="Only say what would be removed: exits with 1 if there is any.")
@click.option("--force", is_flag=True, help="Clean up although a Service proxy runs here, which will undo it.")
@our_options
@with_errors
def cleanup(is_dry: bool, force: bool, own_options: OwnOptions) -> None:
    """Remove every chain and rule of a Service proxy from this node, as `kube-proxy --cleanup` does.

    So are the tables that kube-proxy leaves in its nftables mode. KUBE-FIREWALL stays, since kubelet uses it as well;
    other programs' rules are never touched.
    """
    if not (is_dry or force):
        _require_no_proxy()
    sys.exit(clean_up(own_options, is_dry=is_dry))


def clean_up(own_options: OwnOptions, *, is_dry: bool = False) -> int:
    """Clean up, print what was removed where, and return the exit status. Raises HostError."""
    # Everything is removed before anything is printed: a terminal that is gone must not stop the work half-way.
    with progress(READING_RULES if is_dry else "removing the rules of Service proxies"):
        left, tables = clean_leftovers(own_options, is_dry=is_dry)
        everything: list[CleanupResult | TableCleanup] = [*tables, *clean_all(own_options, is_dry=is_dry)]
    status = DIFFERENT if is_dry and any(map(_removes, everything)) else 0
    for cleaned in everything:
        if cleaned.problem is None:
            click.echo(_describe(cleaned, is_dry=is_dry))
        else:
            print_stderr(f"Error: {cleaned.problem}")
            status = FAILED
    if not everything:
        click.echo("nothing to remove")
    note_ipvs(left)
    if status == DIFFERENT:
        click.echo("nothing was removed: this was a dry run")
    return status


def _require_no_proxy() -> None:
    """End the command if a Service proxy runs here that would put everything back."""
    running = [process.title for process in service_proxies() if process.is_here and not process.is_shadow]
    if running:
        fail(f"{' and '.join(running)} would put the rules back: end it first, or give --force")


def _removes(cleaned: CleanupResult | TableCleanup) -> bool:
    return isinstance(cleaned, TableCleanup) or not cleaned.plan.is_empty


def _describe(cleaned: CleanupResult | TableCleanup, *, is_dry: bool) -> str:
    if isinstance(cleaned, TableCleanup):
        return f"nftables: {cleaned.table.title} of kube-proxy's nftables mode {'to delete' if is_dry else 'deleted'}"
    where = f"{cleaned.tools.family} ({cleaned.tools.backend})"
    if cleaned.plan.is_empty:
        return f"{where}: nothing to remove"
    text = f"{where}: {summarize(cleaned.plan)}"
    kept = ", ".join(chain for _, chain in cleaned.plan.kept)
    return f"{text}; emptied, but in use by other rules: {kept}" if kept else text
