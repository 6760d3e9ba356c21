"""Starting the daemon: what `pykubeproxy run` and `kube-proxy` have in common."""

import sys
from pathlib import Path

import msgspec
import structlog

from pykubeproxy.cli.errors import NOT_IN_SYNC
from pykubeproxy.cli.inputs import complete_config, print_warnings
from pykubeproxy.config.flag_table import FLAGS
from pykubeproxy.config.flags import texts
from pykubeproxy.daemon.run import run, run_once
from pykubeproxy.daemon.setup.run_settings import DaemonTimeouts, OwnOptions, RunSettings
from pykubeproxy.observe.logs import LogFormat, set_up

log = structlog.get_logger()


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to start the daemon, beside what all commands have.

    `source` is a file or folder of manifests; None for the API server. `once` ends after one sync. `is_dry` writes
    nothing. `is_kube_proxy` is set for the command `kube-proxy`, which stands in for the real one. `log_format` None
    leaves it to the configuration.
    """

    source: str | None = None
    once: bool = False
    is_dry: bool = False
    is_kube_proxy: bool = False
    log_format: LogFormat | None = None


def start(options: StartOptions, own_options: OwnOptions, flags: dict[str, object]) -> None:
    """Run until told to stop, or sync once and exit with 0 if in sync. Raises what the daemon raises."""
    settings = read_settings(options, own_options, flags)
    if options.once:
        sys.exit(0 if run_once(settings) else NOT_IN_SYNC)
    run(settings)


def read_settings(options: StartOptions, own_options: OwnOptions, flags: dict[str, object]) -> RunSettings:
    """The daemon's settings; logging is set up as they say. Raises ConfigError."""
    # Read first: whatever is written to the file from now on counts as a change.
    config_file = _config_file(flags)
    completed = complete_config(flags)
    logging = completed.config.logging
    in_config = LogFormat.JSON if logging.format == "json" else LogFormat.CONSOLE
    set_up(options.log_format or in_config, logging.verbosity)
    if options.is_dry:
        log.info("shadow mode: nothing is written, neither rules nor kernel settings; what would be done is logged")
    print_warnings(completed)
    if options.is_kube_proxy and not completed.is_mode_given:
        log.warning(
            "no mode is given: kube-proxy's own default becomes nftables in v1.40; say mode: iptables to keep it"
        )
    return RunSettings(
        completed=completed,
        own_options=own_options,
        manifests=options.source,
        is_dry=options.is_dry,
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
