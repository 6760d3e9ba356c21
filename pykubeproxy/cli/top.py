"""`top`: new connections per Service and endpoint, live."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import click
from rich.console import RenderableType

from pykubeproxy.cli.color import color_option
from pykubeproxy.cli.errors import print_stderr, with_errors
from pykubeproxy.cli.help import node_command
from pykubeproxy.cli.options import API, object_options, our_options
from pykubeproxy.cli.proxy_options import kube_proxy_flags
from pykubeproxy.cli.running_proxy import config_of_node, options_of_node
from pykubeproxy.cli.top_document import as_json
from pykubeproxy.cli.top_names import names_from
from pykubeproxy.cli.top_output import as_screen, as_text, make_console
from pykubeproxy.cli.top_reading import LiveReader, Measurement, Wait
from pykubeproxy.cli.top_screen import Screen
from pykubeproxy.cli.top_view import TopView
from pykubeproxy.config.duration import Duration
from pykubeproxy.daemon.setup.run_settings import OwnOptions
from pykubeproxy.daemon.setup.tools import find_tools
from pykubeproxy.explain.suggestions import did_you_mean
from pykubeproxy.host import backend as backends
from pykubeproxy.observe.clock import now, rfc3339
from pykubeproxy.traffic.rates import Rates

_JSON = "json"


# Seconds between two readings.
_SHORTEST, _LONGEST = 0.1, 3600.0


class _IntervalType(click.ParamType[float]):
    """A duration as Go writes it, from 100ms to 1h, or a plain number of seconds; the value is in seconds."""

    name = "DURATION"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a duration."""
        text = str(value)
        try:
            seconds = Duration.parse(f"{text}s" if text.replace(".", "", 1).isdecimal() else text).seconds
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not _SHORTEST <= seconds <= _LONGEST:
            self.fail(f"{text} is not from 100ms to 1h", param, ctx)
        return seconds


@node_command("pykubeproxy top --once --interval 10 --namespace default")
@click.option("--once", is_flag=True, help="Measure one interval, print it, and exit.")
@click.option(
    "--interval",
    type=_IntervalType(),
    default="1s",
    show_default=True,
    help="The time between two readings, as 500ms, 10s, 1m30s, or a number of seconds; longer where a reading takes "
    "more than half of it.",
)
@click.option(
    "-o", "--output", type=click.Choice(["text", _JSON]), default="text", show_default=True, help="What to print."
)
@click.option("-n", "--namespace", metavar="NAME", help="Only the Services of this namespace.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most so many Services, and endpoints of each (default: 20 in text, all in JSON).",
)
@object_options
@color_option
@our_options
@kube_proxy_flags(leave_out=("version", "write-config-to", "cleanup", "init-only"))
@with_errors
def top(
    once: bool,
    interval: float,
    output: str,
    namespace: str | None,
    limit: int | None,
    objects: tuple[str, ...],
    own_options: OwnOptions,
    flags: dict[str, object],
) -> None:
    """Show new connections per second: to which Services, to which of their endpoints, and how evenly.

    Counted by this node's rules, whoever wrote them, from one reading to the next; with --once, over one interval.
    Only busy Services are shown. SHARE is of all connections for a Service, and of its Service's for an endpoint;
    EXPECTED is what it should be if the client makes no difference, 1/n of the n endpoints behind the cluster IP.
    What rules refuse or drop has lines of its own; a client that gets no answer tries again, and each packet counts.
    Objects (-f, --source api) add the pods and nodes of endpoints.
    On a terminal the table is live, with its keys in the last line, and ends with q or Ctrl-C; elsewhere one table
    follows the other.
    """
    completed = None
    if API in objects:
        config = config_of_node(flags, own_options, objects)
        completed, own_options = config.completed, config.own_options
    else:
        own_options = options_of_node(own_options)
    tools = find_tools(own_options)
    for its in tools.values():
        backends.check(its)
    try:
        with names_from(objects, completed) as names:
            measuring = Measurement(LiveReader(tools), namespace)
            if namespace is not None and namespace not in (known := measuring.namespaces()):
                print_stderr(_unknown(namespace, known))

            def measured(wait: Wait) -> Iterator[Rates]:
                return map(names.add_to, measuring.intervals(interval, wait))

            if once:
                _print(next(measured(_sleep)), output, limit)
            elif output == "text" and _has_terminal():
                _watch(measured, limit)
            else:
                _print_all(measured(_sleep), output, limit)
    except KeyboardInterrupt:
        # Without --once, an interrupt is the usual end.
        if once:
            raise


def _watch(measured: Callable[[Wait], Iterator[Rates]], limit: int | None) -> None:
    console = make_console()

    def draw(rates: Rates | None, view: TopView) -> tuple[RenderableType, int]:
        return as_screen(rates, view, limit, console.width, console.height)

    with Screen(console, draw) as screen:
        for rates in measured(screen.wait):
            screen.show(rates)


def _print_all(measured: Iterable[Rates], output: str, limit: int | None) -> None:
    """Print one measurement after the other; texts with an empty line between them."""
    for number, rates in enumerate(measured):
        if number and output != _JSON:
            click.echo()
        _print(rates, output, limit)


def _print(rates: Rates, output: str, limit: int | None) -> None:
    if output == _JSON:
        click.echo(as_json(rates, rfc3339(now().wall), limit))
    else:
        console = make_console()
        console.print(as_text(rates, limit, console.width))
        sys.stdout.flush()


def _has_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _unknown(namespace: str, known: Iterable[str]) -> str:
    return f"note: no Service of namespace {namespace} has endpoints in these rules{did_you_mean(namespace, known)}"
