"""The options of the kubectl plugin: which cluster, which nodes, and what is handed on to the command there."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pykubeproxy.cli.color import color_option
from pykubeproxy.cli.kubectl_nodes import NAMESPACE, SELECTOR, Cluster
from pykubeproxy.config.duration import Duration

_R = TypeVar("_R")


class SecondsParam(click.ParamType[float]):
    """A length of time: seconds, or Go's form (`1m30s`)."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        text = str(value)
        try:
            seconds = float(text) if text.replace(".", "", 1).isdecimal() else Duration.parse(text) / 1e9
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds <= 0:
            self.fail("must be more than nothing", param, ctx)
        return seconds


_FLAGS = ("context", "kubeconfig", "cluster", "user")
_OPTIONS = (
    *(click.option(f"--{flag}", metavar="TEXT", help=f"As kubectl's --{flag}.") for flag in _FLAGS),
    click.option("-l", "--selector", metavar="LABELS", help=f"The labels of the proxies' pods.  [default: {SELECTOR}]"),
    click.option("--timeout", type=SecondsParam(), metavar="DURATION", help="For each answer.  [default: 30s]"),
)
PROXY_NAMESPACE_OPTION = click.option(
    "-n", "--namespace", "proxy_namespace", metavar="NAME", help=f"Where the proxies' pods are.  [default: {NAMESPACE}]"
)
NODES_OPTION = click.option("--node", "nodes", multiple=True, metavar="NAME", help="Only this node. Repeatable.")
REST = click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE COMMAND]")
ONLY_NAMESPACE_OPTION = click.option(
    "-n", "--namespace", "only", metavar="NAME", help="Only the Services of this namespace."
)
OUTPUT_OPTION = click.option("-o", "--output", default="text", metavar="FORMAT", help="As of the command on a node.")


def cluster_options(command: Callable[..., _R]) -> Callable[..., _R]:
    """Give a command `--color`, and the options that say how to reach a cluster, in one argument, `cluster`.

    The latter may stand before the command as well; behind it they win.
    """

    @functools.wraps(command)
    def with_cluster(*args: Any, nodes: tuple[str, ...] = (), **kwargs: Any) -> _R:
        names = (*_FLAGS, "proxy_namespace", "selector", "timeout")
        here = {name: kwargs.pop(name, None) for name in names}
        before = click.get_current_context().find_root().params
        given = {name: before.get(name) if value is None else value for name, value in here.items()}
        cluster = Cluster(
            flags=tuple(f"--{flag}={given[flag]}" for flag in _FLAGS if given[flag] is not None),
            namespace=given["proxy_namespace"] or NAMESPACE,
            selector=given["selector"] or SELECTOR,
            nodes=nodes,
            seconds=given["timeout"] or 30.0,
        )
        return command(*args, cluster=cluster, **kwargs)

    decorated: Callable[..., _R] = with_cluster
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return color_option(decorated)


def options_before_command(command: Callable[..., _R]) -> Callable[..., _R]:
    """Give the group of commands the options that `cluster_options` also takes from there."""
    for option in reversed((*_OPTIONS, PROXY_NAMESPACE_OPTION)):
        command = option(command)
    return command
