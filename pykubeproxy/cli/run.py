"""`run`: the daemon."""

import sys

import click

from pykubeproxy.cli.daemon_settings import DRY_RUN, LOG_FORMAT, read_settings
from pykubeproxy.cli.errors import NOT_IN_SYNC, fail, with_errors
from pykubeproxy.cli.help import node_command
from pykubeproxy.cli.options import ALLOW_EMPTY, API, complete_files, our_options
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.daemon.messages import NotInSync
from pykubeproxy.daemon.run import run as run_daemon
from pykubeproxy.daemon.run import run_once
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.observe.logs import LogFormat


@node_command("pykubeproxy run --source examples/ --hostname-override node-a --cluster-cidr 10.244.0.0/16")
@click.option(
    "--source",
    default=API,
    metavar="api|PATH",
    shell_complete=complete_files,
    show_default=True,
    help="Where objects come from: the API server, or a file or folder of manifests, watched for changes.",
)
@ALLOW_EMPTY
@click.option(
    "--once",
    is_flag=True,
    help="Sync once and exit: with 0 if in sync, 1 if not; with --dry-run, 1 if there is something to write.",
)
@DRY_RUN
@LOG_FORMAT
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@with_errors
def run(
    source: str,
    allow_empty: bool,
    once: bool,
    is_dry: bool,
    log_format: LogFormat | None,
    own_options: OwnOptions,
    flags: dict[str, object],
) -> None:
    """Keep this node's rules in step with Services and EndpointSlices, until told to stop.

    SIGTERM leaves the rules in force. Exits with 2 after an error.
    """
    manifests = None if source == API else source
    settings = read_settings(
        own_options, flags, manifests=manifests, allow_empty=allow_empty, is_dry=is_dry, log_format=log_format
    )
    if once:
        try:
            sys.exit(0 if run_once(settings) else NOT_IN_SYNC)
        except NotInSync as error:
            fail(str(error), NOT_IN_SYNC)
    run_daemon(settings)
