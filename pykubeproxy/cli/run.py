"""`run`: the daemon."""

import sys
from functools import partial

import click

from pykubeproxy.cli.common import NOT_IN_SYNC, our_options, read_config, with_errors
from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.config.completed import Completed
from pykubeproxy.config.options import CONTEXT_SETTINGS, kube_proxy_flags
from pykubeproxy.daemon.assembly import Choices
from pykubeproxy.daemon.run import RunSettings, run_once
from pykubeproxy.daemon.run import run as run_daemon
from pykubeproxy.observe.logs import LogFormat, set_up


@click.command(
    context_settings=dict(CONTEXT_SETTINGS),
    epilog="Example: pykubeproxy run --source examples/ --hostname-override node-a --cluster-cidr 10.244.0.0/16",
)
@click.option("--source", required=True, metavar="PATH", help="A file or folder of manifests, watched for changes.")
@click.option("--once", is_flag=True, help="Sync once and exit: with 0 if in sync, 1 if not.")
@click.option(
    "--log-format",
    type=click.Choice([log_format.value for log_format in LogFormat]),
    default=LogFormat.CONSOLE.value,
    show_default=True,
    help="Logs for people or for programs.",
)
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@partial(with_errors, status=NOT_IN_SYNC)
def run(source: str, once: bool, log_format: str, choices: Choices, flags: dict[str, object]) -> None:
    """Keep this node's rules in step with Services and EndpointSlices, until told to stop.

    SIGTERM leaves the rules in force.
    """
    completed = read_config(flags)
    set_up(LogFormat(log_format), completed.config.logging.verbosity)
    _run(completed, choices, source, once=once)


def _run(completed: Completed, choices: Choices, source: str, *, once: bool) -> None:
    settings = RunSettings(completed=completed, choices=choices)
    manifests = Manifests([source])
    if once:
        sys.exit(0 if run_once(settings, manifests) else NOT_IN_SYNC)
    run_daemon(settings, manifests)
