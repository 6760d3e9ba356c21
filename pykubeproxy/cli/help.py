"""What --help prints: options under headings, what a command is about first, the proxy's configuration last."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import click

CONTEXT_SETTINGS: Mapping[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda name: name.replace("_", "-"),
    "max_content_width": 120,
}
"""For commands with these options: kube-proxy takes `_` for `-` in flag names."""

_PROXY, _HELP = "The proxy", "Help"

# The headings, in their order, and the parameters below each; whatever is not named here configures the proxy.
_HEADINGS: Mapping[str, Collection[str]] = {
    "Packet": ("client", "target", "in_interface", "seen_at"),
    "How it runs": ("wanted", "once", "interval", "is_dry", "force"),
    "Cluster and nodes": (
        *("node", "nodes", "proxy_namespace", "selector", "timeout"),
        *("context", "kubeconfig", "cluster", "user"),
    ),
    "Rules and objects": (
        *("files", "source", "is_strict", "allow_empty", "dumps"),
        *("namespace", "only", "address", "limit", "family"),
    ),
    "Output": ("output", "every_step", "is_summary", "log_format", "color"),
    _PROXY: (),
    _HELP: ("version", "help_all"),
}

# Commands take all options of this program that kube-proxy does not have, since a proxy's command line may be given to
# any of them. Those that have no effect there are only shown with --help-all.
_WITHOUT_EFFECT: Mapping[str, Collection[str]] = {
    "host_addresses": ("services", "top", "cleanup"),
    "dispatch": ("services", "top", "cleanup"),
    "reject_unused": ("services", "top", "cleanup"),
    "commit": ("services", "top", "cleanup", "trace", "render"),
    "end_established_tcp": ("services", "top", "cleanup", "trace", "render", "diff"),
    "backend": ("render",),
}

# Columns for an option and its metavar; a longer one has a line of its own.
_OPTION_WIDTH = 28

_ALL_SHOWN = "pykubeproxy.help.all-shown"


class FoldedOption(click.Option):
    """An option that help shows only where it is asked for all options, or in a command that has no --help-all."""


def _show_all(ctx: click.Context, param: click.Parameter, is_asked: bool) -> None:
    del param
    if is_asked:
        ctx.meta[_ALL_SHOWN] = True
        click.echo(ctx.get_help())
        ctx.exit()


HELP_ALL = click.option(
    "--help-all",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_all,
    help="Also kube-proxy's options (--config, ...).",
)


class GroupedHelp(click.Command):
    """A command whose help shows options under headings, which are the same in all commands."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and for a group its commands."""
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in _HEADINGS}
        options = (param for param in self.get_params(ctx) if isinstance(param, click.Option))
        for param in sorted(options, key=_order):
            record = param.get_help_record(ctx) if _is_shown(param, ctx) else None
            if record is not None:
                sections[_heading(param)].append(record)
        width = max(len(option) for its in sections.values() for option, _ in its)
        for heading, its in sections.items():
            if its:
                with formatter.section(heading):
                    # The descriptions of all sections begin in one column.
                    rows = [(option.ljust(min(width, _OPTION_WIDTH)), text) for option, text in its]
                    formatter.write_dl(rows, col_max=_OPTION_WIDTH)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


def node_command(example: str) -> Callable[[Callable[..., Any]], GroupedHelp]:
    """Make a function a command that takes kube-proxy's options; its help ends with the example."""
    return click.command(cls=GroupedHelp, context_settings=dict(CONTEXT_SETTINGS), epilog=f"Example: {example}")


def _heading(param: click.Parameter) -> str:
    if "--help" in param.opts:
        return _HELP
    return next((heading for heading, names in _HEADINGS.items() if param.name in names), _PROXY)


def _order(param: click.Parameter) -> int:
    """The place of an option below its heading; those without one stay in the order in which they are declared."""
    names = list(_HEADINGS[_heading(param)])
    return names.index(param.name) if param.name in names else 0


def _is_shown(param: click.Parameter, ctx: click.Context) -> bool:
    if _ALL_SHOWN in ctx.meta:
        return True
    if isinstance(param, FoldedOption) and any(each.name == "help_all" for each in ctx.command.params):
        return False
    return ctx.command.name not in _WITHOUT_EFFECT.get(param.name or "", ())
