"""The `pykubeproxy` command."""

from importlib import import_module

import click

from pykubeproxy.cli.errors import OneLineGroup

# In the order in which --help lists them. Each is a module of its own, and the command in it of the same name.
_COMMANDS = ("run", "status", "check", "diff", "trace", "services", "top", "render", "cleanup", "version")


class _Commands(OneLineGroup):
    """Imports a command when it is asked for: most need little of what the daemon does."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command, or None if there is none of that name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"pykubeproxy.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: pykubeproxy render -f examples/ --family ipv4",
)
def main() -> None:
    """The Service proxy of a Kubernetes node: kube-proxy's iptables mode (v1.37), which can explain itself."""
