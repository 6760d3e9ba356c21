"""Colours in what commands print."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

_R = TypeVar("_R")


def color_option(command: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command `--color`. click.echo takes what it says from the context."""
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        is_eager=True,
        expose_value=False,
        callback=_set_color,
        help="Colours: auto is as NO_COLOR or FORCE_COLOR say, else on a terminal.",
    )(command)


def _set_color(ctx: click.Context, param: click.Parameter, when: Any) -> None:
    del param
    if when != "auto":
        ctx.color = when == "always"
    elif os.environ.get("NO_COLOR"):
        ctx.color = False
    elif os.environ.get("FORCE_COLOR"):
        ctx.color = True
