"""`completion`: what a shell needs to complete commands, options and files."""

import click
from click.shell_completion import get_completion_class

from pykubeproxy.cli.errors import with_errors
from pykubeproxy.cli.help import node_command

_PROGRAM = "pykubeproxy"


@node_command("pykubeproxy completion bash")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@with_errors
def completion(shell: str) -> None:
    """Print a script with which a shell completes commands, options and files.

    For bash: `eval "$(pykubeproxy completion bash)"` in ~/.bashrc; for zsh the same in ~/.zshrc; for fish
    `pykubeproxy completion fish > ~/.config/fish/completions/pykubeproxy.fish`.
    """
    from pykubeproxy.cli.main import main  # noqa: PLC0415  it loads this module

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(main, {}, _PROGRAM, "_PYKUBEPROXY_COMPLETE").source())
