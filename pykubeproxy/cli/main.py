"""The `pykubeproxy` command."""

from collections.abc import Mapping
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from pykubeproxy.cli.errors import OneLineGroup
from pykubeproxy.config.release import program_version

# In the order in which --help lists them. Each is a module of its own, and the command in it of the same name. What
# --help says of them stands here too, since loading them all takes ten times as long as printing it.
_COMMANDS: Mapping[str, str] = {
    "run": "Keep this node's rules in step with Services and EndpointSlices, until told to stop.",
    "status": "Show how this node is: its Service proxy, its rules, and what in the kernel may disturb them.",
    "check": "Show what `pykubeproxy status` shows; the exit status says whether this node is well.",
    "diff": "Print what `run` would change on this node now; with --live, on the node that a dump is from.",
    "trace": "Explain what happens to the first packet of a connection: every rule it meets, every branch, and how it "
    "ends.",
    "services": "List the Services that the rules of this node know, whoever made them; with --live, those in a dump.",
    "top": "Show new connections per second: to which Services, to which of their endpoints, and how evenly.",
    "render": "Print the iptables-restore payload for the given objects.",
    "cleanup": "Remove every chain and rule of a Service proxy from this node, as `kube-proxy --cleanup` does.",
    "completion": "Print a script with which a shell completes commands, options and files.",
    "version": "Print the versions of this program, of Python, and of the iptables tools found.",
}


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for; if there is none, say which may have been meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from pykubeproxy.explain.suggestions import did_you_mean  # noqa: PLC0415  only for mistakes

            text = f"{error.message.removesuffix('.')}{did_you_mean(args[0], _COMMANDS)}"
            raise click.UsageError(text, ctx) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, or an option, without loading the commands."""
        found = [CompletionItem(name, help=text) for name, text in _COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(ctx: click.Context, param: click.Parameter, is_asked: bool) -> None:
    del param
    if is_asked:
        click.echo(f"pykubeproxy {program_version()}")
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Example: pykubeproxy render -f examples/ --family ipv4",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version of this program; `pykubeproxy version` prints more.",
)
def main() -> None:
    """The Service proxy of a Kubernetes node: kube-proxy's iptables mode (v1.37), which can explain itself."""
