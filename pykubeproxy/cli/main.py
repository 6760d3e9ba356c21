"""The `pykubeproxy` command."""

import click

from pykubeproxy.cli.cleanup import cleanup
from pykubeproxy.cli.diff import diff
from pykubeproxy.cli.entry import OneLineGroup
from pykubeproxy.cli.render import render
from pykubeproxy.cli.run import run
from pykubeproxy.cli.top import top
from pykubeproxy.cli.trace import trace
from pykubeproxy.cli.version import version


@click.group(
    cls=OneLineGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: pykubeproxy render -f examples/ --family ipv4",
)
def main() -> None:
    """The Service proxy of a Kubernetes node: kube-proxy's iptables mode, which can explain itself."""


for _command in (run, render, diff, trace, top, cleanup, version):
    main.add_command(_command)
