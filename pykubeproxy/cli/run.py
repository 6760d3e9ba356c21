"""`run`: the daemon."""

from functools import partial

import click

from pykubeproxy.cli.errors import NOT_IN_SYNC, with_errors
from pykubeproxy.cli.options import API, our_options
from pykubeproxy.cli.proxy_options import CONTEXT_SETTINGS, kube_proxy_flags
from pykubeproxy.cli.running import StartOptions, start
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.observe.logs import LogFormat


@click.command(
    context_settings=dict(CONTEXT_SETTINGS),
    epilog="Example: pykubeproxy run --source examples/ --hostname-override node-a --cluster-cidr 10.244.0.0/16",
)
@click.option(
    "--source",
    default=API,
    metavar="api|PATH",
    show_default=True,
    help="Where objects come from: the API server, or a file or folder of manifests, watched for changes.",
)
@click.option("--once", is_flag=True, help="Sync once and exit: with 0 if in sync, 1 if not.")
@click.option("--dry-run", is_flag=True, help="Shadow mode: tell what would be done; never write.")
@click.option(
    "--log-format",
    type=click.Choice([log_format.value for log_format in LogFormat]),
    help="Logs for people or for programs; without it, as --logging-format says.",
)
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@partial(with_errors, status=NOT_IN_SYNC)
def run(
    source: str, once: bool, dry_run: bool, log_format: str | None, own_options: OwnOptions, flags: dict[str, object]
) -> None:
    """Keep this node's rules in step with Services and EndpointSlices, until told to stop.

    SIGTERM leaves the rules in force.
    """
    manifests = None if source == API else source
    chosen = LogFormat(log_format) if log_format else None
    start(StartOptions(source=manifests, once=once, is_dry=dry_run, log_format=chosen), own_options, flags)
