"""The `kube-proxy` command: the daemon with kube-proxy's own command line.

A DaemonSet made for kube-proxy runs it with nothing but its image changed (`docs/reference/lifecycle.md` sections 1, 2
and 13).
"""

import sys
from functools import partial
from pathlib import Path

import click
import msgspec

from pykubeproxy.cli.cleanup import clean_up
from pykubeproxy.cli.daemon_settings import DRY_RUN, LOG_FORMAT, read_settings
from pykubeproxy.cli.errors import KUBE_PROXY_FAILED, OneLineErrors, with_errors
from pykubeproxy.cli.help import CONTEXT_SETTINGS
from pykubeproxy.cli.inputs import read_config
from pykubeproxy.cli.options import our_options
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.config.errors import ConfigError
from pykubeproxy.config.release import KUBERNETES_VERSION
from pykubeproxy.config.write import write
from pykubeproxy.daemon.run import init, run
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.observe.about import build
from pykubeproxy.observe.logs import LogFormat


class _KubeProxy(OneLineErrors):
    usage_status = KUBE_PROXY_FAILED


@click.command(
    cls=_KubeProxy,
    context_settings=dict(CONTEXT_SETTINGS),
    epilog="Example: kube-proxy --config=/var/lib/kube-proxy/config.conf --hostname-override=$(NODE_NAME)",
)
@DRY_RUN
@LOG_FORMAT
@our_options
@kube_proxy_flags()
@partial(with_errors, status=KUBE_PROXY_FAILED)
def main(is_dry: bool, log_format: LogFormat | None, own_options: OwnOptions, flags: dict[str, object]) -> None:
    """The Service proxy of a Kubernetes node, with kube-proxy's command line and configuration file."""
    if flags.get("version", "false") != "false":
        click.echo(_version(str(flags["version"])))
        return
    if flags.get("write-config-to"):
        _write_config(Path(str(flags["write-config-to"])), flags)
    elif flags.get("cleanup"):
        read_config(flags)
        sys.exit(KUBE_PROXY_FAILED if clean_up(own_options) else 0)
    else:
        settings = read_settings(own_options, flags, is_dry=is_dry, is_kube_proxy=True, log_format=log_format)
        (init if flags.get("init-only") else run)(settings)


def _version(asked: str) -> str:
    """What --version prints: our Kubernetes version, the one that the flag overrides it with, or all there is (raw)."""
    if asked == "raw":
        fields = msgspec.structs.asdict(build()).items()
        return f"version.Info{{{', '.join(f'{_camel(name)}:{_quoted(value)}' for name, value in fields)}}}"
    return f"Kubernetes {asked if asked.startswith('v') else f'v{KUBERNETES_VERSION}'}"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _quoted(text: str) -> str:
    return f'"{text}"'


def _write_config(path: Path, flags: dict[str, object]) -> None:
    text = write(read_config(flags).config)
    try:
        path.write_text(text)
    except OSError as error:
        raise ConfigError(f"--write-config-to: {path}: {error.strerror}") from None
