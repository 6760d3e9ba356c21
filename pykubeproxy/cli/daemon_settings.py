"""The options and settings that `pykubeproxy run` and `kube-proxy` have in common."""

from pathlib import Path

import click

from pykubeproxy import logger
from pykubeproxy.cli.inputs import complete_config, print_warnings
from pykubeproxy.config.flag_table import FLAGS
from pykubeproxy.config.flags import texts
from pykubeproxy.daemon.setup.run_settings import DaemonTimeouts, OwnOptions, RunSettings
from pykubeproxy.observe.logs import LogFormat, set_up

log = logger.get()


DRY_RUN = click.option("--dry-run", "is_dry", is_flag=True, help="Shadow mode: log what would be done; never write.")
LOG_FORMAT = click.option(
    "--log-format",
    type=click.Choice([log_format.value for log_format in LogFormat]),
    callback=lambda _ctx, _param, value: LogFormat(value) if value else None,
    help="Logs for people or for programs; without it, as --logging-format says.",
)


def read_settings(
    own_options: OwnOptions,
    flags: dict[str, object],
    *,
    manifests: str | None = None,
    allow_empty: bool = False,
    is_dry: bool,
    is_kube_proxy: bool = False,
    log_format: LogFormat | None,
) -> RunSettings:
    """The daemon's settings; sets up logging as they say. Raises ConfigError.

    `manifests` is a file or folder of objects; None for the API server. With `allow_empty`, rules of Services are
    removed even if no Service is found in it at the start. `is_dry` writes nothing. `is_kube_proxy` is set for the
    command `kube-proxy`, which stands in for the real one. `log_format` None leaves it to the configuration.
    """
    # Read first: whatever is written to the file from now on counts as a change.
    config_file = _config_file(flags)
    completed = complete_config(flags)
    logging = completed.config.logging
    in_config = LogFormat.JSON if logging.format == "json" else LogFormat.CONSOLE
    set_up(log_format or in_config, logging.verbosity)
    print_warnings(completed)
    if is_kube_proxy and not completed.is_mode_given:
        log.warning(
            "no mode is given: kube-proxy's own default becomes nftables in v1.40; say mode: iptables to keep it"
        )
    return RunSettings(
        completed=completed,
        own_options=own_options,
        manifests=manifests,
        allow_empty=allow_empty,
        is_dry=is_dry,
        config_file=config_file,
        flags=dict(texts(FLAGS, flags)),
        timeouts=DaemonTimeouts(),
    )


def _config_file(flags: dict[str, object]) -> tuple[Path, bytes] | None:
    """The configuration file and its content; None if there is none, or if it cannot be read."""
    if not flags.get("config"):
        return None
    path = Path(str(flags["config"]))
    try:
        return path, path.read_bytes()
    except OSError:
        return None
