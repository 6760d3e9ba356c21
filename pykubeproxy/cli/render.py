"""`render`: the whole payload for given objects."""

import click

from pykubeproxy.cli.errors import with_errors
from pykubeproxy.cli.help import node_command
from pykubeproxy.cli.inputs import compile_for, print_notes_on_input, read_config, read_objects
from pykubeproxy.cli.options import STRICT, object_options, our_options
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.rules.ruleset import render as render_lines


@node_command("pykubeproxy render -f examples/ --family ipv4 | iptables-restore --noflush")
@object_options
@STRICT
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@with_errors
def render(objects: tuple[str, ...], is_strict: bool, own_options: OwnOptions, flags: dict[str, object]) -> None:
    """Print the iptables-restore payload for the given objects.

    It is complete for a node that has none of it: fixed chains, jumps from the built-in chains, and the chains of
    every Service. Nothing is written to the kernel.
    """
    completed = read_config(flags)
    if not objects:
        raise click.UsageError("no objects given: name a file or folder with -f")
    change = read_objects(objects, completed)
    print_notes_on_input(change, is_strict=is_strict)
    for family, ruleset in compile_for(completed, own_options, change, {}, own_options.wanted_families).items():
        click.echo(f"# {family.lower()}")
        for line in render_lines(ruleset):
            click.echo(line)
