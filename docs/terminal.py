"""Pictures of a terminal: what a command prints, in its colours, as SVG."""

import io
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from pykubeproxy.cli.status_output import as_text
from pykubeproxy.cli.top_output import as_screen
from pykubeproxy.cli.top_view import TopView
from pykubeproxy.explain.status.assessment import assess
from pykubeproxy.model.ip import Family
from pykubeproxy.traffic.rates import EndpointRate, Rates, ServiceRate
from tests.explain.status.nodes import TROUBLED

# So wide that it can be read in a README at GitHub's width.
_COLUMNS = 100

# Rich's own form fetches a font from the web, which a picture in a README may not do.
_FORM = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def status_of_a_troubled_node() -> str:
    """What `status` prints, in its colours, on a made-up node with much that is wrong: it reads nodes, not files."""
    return "\n".join(as_text(TROUBLED, assess(TROUBLED)))


def top_of_a_busy_node() -> str:
    """What `top` shows, in its colours, with made-up connections to Services of examples/."""
    services = (
        _rate("default/web:http", {"10.244.0.11:8080": 0.34, "10.244.0.12:8080": 0.32, "10.244.1.11:8080": 0.34}, 3),
        _rate("default/cart:http", {"10.244.0.11:8080": 0.8, "10.244.0.12:8080": 0.15, "10.244.1.11:8080": 0.05}, 1),
    )
    rates = Rates(
        seconds=1.0,
        connections=sum(each.connections for each in services),
        services=services,
        known_ports=11,
        known_services=9,
        known_endpoints=21,
    )
    console = Console(width=_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with console.capture() as captured:
        console.print(as_screen(rates, TopView(), None, _COLUMNS, 11)[0])
    return captured.get().rstrip("\n")


def _rate(service: str, shares: Mapping[str, float], weight: int) -> ServiceRate:
    """A Service whose connections grow and shrink again; its endpoints get these shares of them."""
    history = tuple(weight * (40.0 + 3 * min(number, 20 - number)) for number in range(20))
    last = history[-1]
    endpoints = tuple(
        EndpointRate(
            endpoint=endpoint,
            connections=round(last * share),
            rate=last * share,
            share=share,
            expected=1 / len(shares),
            history=tuple(each * share for each in history),
        )
        for endpoint, share in shares.items()
    )
    return ServiceRate(
        family=Family.IPV4,
        service=service,
        protocol="TCP",
        connections=round(last),
        rate=last,
        share=weight / 4,
        history=history,
        endpoints=endpoints,
    )


def picture(command: str, printed: str, name: str) -> str:
    """A terminal in which `command` was typed, and has `printed` this (with ANSI colours), as SVG.

    The classes and ids within the SVG begin with `name`. Rich would make up a number for that.
    """
    console = Console(
        record=True,
        width=_COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(Text(f"$ {command}"))
    console.print(Text.from_ansi(printed))
    console.print()  # else the last line's letters are cut off below
    drawn = console.export_svg(title=command.partition(" -")[0], code_format=_FORM, unique_id=name)
    return "\n".join(line.rstrip() for line in drawn.split("\n"))
