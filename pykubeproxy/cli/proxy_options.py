"""kube-proxy's flags as click options, generated from the flag table."""

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import click

from pykubeproxy.cli.help import HELP_ALL, FoldedOption
from pykubeproxy.cli.options import complete_files
from pykubeproxy.config.flag_table import FLAGS
from pykubeproxy.config.flag_types import FILE
from pykubeproxy.config.flags import Flag, FlagCategory

_GIVEN = "pykubeproxy.flags"
_PROBLEMS = "pykubeproxy.flags.problems"

_R = TypeVar("_R")


def kube_proxy_flags(*, leave_out: Collection[str] = ()) -> Callable[[Callable[..., _R]], Callable[..., _R]]:
    """Give a click command kube-proxy's options, but for those named in `leave_out`.

    If there are such, the command has other options of its own, and its help shows kube-proxy's only with --help-all.

    The command gets one argument for all of them, `flags`: the values that were given, by flag name, as
    `pykubeproxy.config.completed.complete` takes them.
    """

    def decorate(command: Callable[..., _R]) -> Callable[..., _R]:
        @functools.wraps(command)
        def with_flags(*args: Any, **kwargs: Any) -> _R:
            meta = click.get_current_context().meta
            if _PROBLEMS in meta:
                raise click.UsageError("; ".join(meta[_PROBLEMS]))
            return command(*args, flags=dict(meta.get(_GIVEN, {})), **kwargs)

        decorated: Callable[..., _R] = with_flags
        if leave_out:
            decorated = HELP_ALL(decorated)
        for flag in reversed(FLAGS):
            if flag.name not in leave_out:
                decorated = _option(flag)(decorated)
        return decorated

    return decorate


def _option(flag: Flag) -> Callable[[Callable[..., _R]], Callable[..., _R]]:
    """A click option that keeps the flag's value, if it was given, for `kube_proxy_flags`."""

    def keep(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> None:
        try:
            value = _value(flag, texts)
        except ValueError as error:
            # Reported together with those of other flags, once all have been read.
            problem = click.BadParameter(" ".join(str(error).split()), ctx=ctx, param=param).format_message()
            ctx.meta.setdefault(_PROBLEMS, []).append(problem.removesuffix("."))
            return
        if value is not None:
            ctx.meta.setdefault(_GIVEN, {})[flag.name] = value

    # Even a flag_value of None would make the value optional.
    bare: dict[str, Any] = {} if flag.type.bare is None else {"is_flag": False, "flag_value": flag.type.bare}
    return click.option(
        *_declarations(flag),
        cls=FoldedOption if flag.type.bare is None else _Switch,
        type=str,
        metavar=flag.type.metavar,
        multiple=True,
        expose_value=False,
        callback=keep,
        shell_complete=complete_files if flag.type is FILE else None,
        hidden=flag.category is FlagCategory.DEPRECATED,
        help=_help(flag),
        **bare,
    )


class _Switch(FoldedOption):
    """An option whose value can only follow `=`, as in Go: in `--masquerade-all true`, `true` is an argument.

    kube-proxy refuses such an argument. click would take it for the option's value.
    """

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Have the parser read `--switch` as `--switch=true`."""
        super().add_to_parser(parser, ctx)
        parse = parser.parse_args

        def parse_args(args: list[str]) -> Any:
            return parse(
                [f"{word}={self.flag_value}" if word.replace("_", "-") in self.opts else word for word in args]
            )

        parser.parse_args = parse_args


def _value(flag: Flag, texts: Sequence[str]) -> Any:
    """The value that all occurrences of the flag make together; None if there is none."""
    if flag.name == "v":
        # `-v=4`: click takes the `=` for a part of a short option's value, kube-proxy does not.
        texts = [text.removeprefix("=") for text in texts]
    return flag.type.combine([flag.type.read(text) for text in texts]) if texts else None


def _declarations(flag: Flag) -> tuple[str, ...]:
    variable = "flag_" + flag.name.replace("-", "_")
    return ("-v", "--v", variable) if flag.name == "v" else (f"--{flag.name}", variable)


def _help(flag: Flag) -> str:
    default = flag.shown(flag.default)
    return f"{flag.help} (default {default})" if default not in ("", "[]", "false") else flag.help
