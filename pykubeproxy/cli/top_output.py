"""The table of one interval that `top` prints."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pykubeproxy.cli.top_view import TopView
from pykubeproxy.explain.service_view_words import refusal_reason_text
from pykubeproxy.explain.sparkline import sparkline
from pykubeproxy.model.ip import Family
from pykubeproxy.traffic.rates import Rates, ServiceRate

"""The version of the document, as docs/cli.md describes it."""

_FEW = 20

# Columns of a table that is not printed on a terminal: enough for the longest names in Kubernetes.
_UNLIMITED_WIDTH = 400

_TITLES = ("SERVICE, ENDPOINT", "POD", "NODE", "PROTO", "CONN/S", "SHARE", "EXPECTED")
_LEFT = _TITLES[:4]
_HISTORY = "HISTORY"
_GAP = 2

# The columns that a narrow terminal goes without: some before the history, which is next to go, and some after it.
_SPARED_FIRST = ("NODE", "POD")
_SPARED = ("EXPECTED", "PROTO")


class _Row(NamedTuple):
    """A line of the table: a cell for each of _TITLES, and what the bars of the history show.

    `cells` are those behind `name`, `pod` and `node`. `top` is what the highest bar stands for, if it is not the
    largest of `history`.
    """

    name: str
    cells: tuple[str, ...] = ("", "", "", "")
    history: Sequence[float] = ()
    top: float = 0.0
    style: str = ""
    bars: str = "cyan"
    pod: str = ""
    node: str = ""

    @property
    def by_title(self) -> dict[str, str]:
        """The cells by the titles of their columns."""
        return dict(zip(_TITLES, (self.name, self.pod, self.node, *self.cells), strict=True))


def as_text(rates: Rates, limit: int | None, width: int) -> RenderableType:
    """A heading, and a table of the busy Services and their endpoints."""
    most = _FEW if limit is None else limit
    rows = list(_rows(rates.services[:most], most))
    if len(rates.services) > most:
        rows.append(_Row(f"... and {len(rates.services) - most} more Services"))
    heading = Text(_heading(rates), no_wrap=True, overflow="ellipsis")
    return Group(heading, _table(rows, *_columns(rows, width))) if rows else heading


def as_screen(
    rates: Rates | None, view: TopView, limit: int | None, width: int, height: int
) -> tuple[RenderableType, int]:
    """What fills a terminal: the table as the user wants it, and the keys in the last line.

    Beside it, how many lines are scrolled away: no more than leave the rest of the screen full.
    """
    keys = Text(_keys(view), style="reverse", no_wrap=True, overflow="ellipsis")
    if rates is None:
        return Group(Text("measuring ..."), *_empty(height - 2), keys), 0
    most = _FEW if limit is None else limit
    shown = view.arranged(rates, most)
    rows = list(_rows(shown.services if limit is None else shown.services[:limit], most))
    room = max(1, height - 3)
    first = min(view.first, max(0, len(rows) - room))
    seen = rows[first : first + room]
    heading = Text(_heading(rates), no_wrap=True, overflow="ellipsis")
    table = _table(seen, *_columns(rows, width)) if seen else Text("")
    return Group(heading, table, *_empty(room - len(seen)), keys), first


def _empty(lines: int) -> Iterator[Text]:
    return (Text("") for _ in range(lines))


def _keys(view: TopView) -> str:
    if view.is_typing:
        return f"/{view.filter}_   (Enter: keep, Esc: clear)"
    chosen = f": {view.filter}" if view.filter else ""
    pause = "goes on (paused)" if view.is_paused else "pauses"
    return f"q quits   s sorts: {view.sort}   / filters{chosen}   space {pause}   arrows scroll"


def _heading(rates: Rates) -> str:
    return (
        f"{rates.connections:,} new connections in {rates.seconds:.1f} s, {_number(rates.rate)}/s; "
        f"{f'{rates.refused:,} refused; ' if rates.refused else ''}"
        f"{len(rates.services):,} busy of {rates.known_ports:,} Service ports "
        f"with {rates.known_endpoints:,} endpoints"
    )


def _table(rows: Sequence[_Row], columns: Mapping[str, int], bars: int) -> Table:
    """The rows in columns of the given widths, and `bars` intervals of the history."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for title, width in columns.items():
        is_name = title == _TITLES[0]
        justify: Literal["left", "right"] = "left" if title in _LEFT else "right"
        heading = Text(title, no_wrap=True, overflow="ellipsis")
        # Of all columns, rich narrows only those that it may wrap: the names, which are cut instead.
        table.add_column(heading, justify=justify, no_wrap=not is_name, min_width=None if is_name else width)
    if bars:
        table.add_column(_HISTORY, justify="right", no_wrap=True)
    for row in rows:
        cells = row.by_title
        shown = [Text(cells[title], style=row.style, no_wrap=True, overflow="ellipsis") for title in columns]
        table.add_row(*shown, *((Text(sparkline(row.history[-bars:], row.top), style=row.bars),) if bars else ()))
    return table


def _columns(rows: Sequence[_Row], width: int) -> tuple[Mapping[str, int], int]:
    """The columns that fit, with their widths, and how many intervals of the history do; 0 if it has no column.

    Names of Services are cut only where nothing else can go; pods and nodes have columns if any is known.
    """
    cells = [row.by_title for row in rows]
    needed = {title: max(len(title), *(len(each[title]) for each in cells)) for title in _TITLES}
    for title in _SPARED_FIRST:
        if not any(each[title] for each in cells) or _room(needed, width) < len(_HISTORY):
            del needed[title]
    room = _room(needed, width)
    if room >= len(_HISTORY):
        return needed, room
    for title in _SPARED:
        if sum(needed.values()) + (len(needed) - 1) * _GAP > width:
            del needed[title]
    return needed, 0


def _room(columns: Mapping[str, int], width: int) -> int:
    """How many characters of a line of this `width` are left beside the columns; they are given with their widths."""
    return width - sum(columns.values()) - len(columns) * _GAP


def _rows(services: Iterable[ServiceRate], most: int) -> Iterator[_Row]:
    for service in services:
        yield from _service_rows(service, most)


def _service_rows(service: ServiceRate, most: int) -> Iterator[_Row]:
    """One row for the Service, and one for each of its endpoints; the bars of all endpoints have the same scale."""
    cells = _protocol(service), _number(service.rate), _percent(service.share), ""
    yield _Row(service.service, cells, service.history, style="bold")
    for refusal in service.refusals:
        name = f"  {refusal_reason_text(refusal.reason)}"
        yield _Row(
            name,
            ("", _number(refusal.rate), "", ""),
            _beside(service.history, refusal.history),
            style="red",
            bars="red",
        )
    top = max((rate for endpoint in service.endpoints for rate in endpoint.history), default=0.0)
    for endpoint in service.endpoints[:most]:
        cells = "", _number(endpoint.rate), _percent(endpoint.share), _percent(endpoint.expected)
        pod = endpoint.pod.removeprefix(f"{service.service.partition('/')[0]}/")
        history = _beside(service.history, endpoint.history)
        yield _Row(f"  {endpoint.endpoint}", cells, history, top, pod=pod, node=endpoint.node)
    if len(service.endpoints) > most:
        yield _Row(f"  ... and {len(service.endpoints) - most} more endpoints")


def _beside(service: Sequence[float], history: Sequence[float]) -> Sequence[float]:
    """A history as long as its Service's; in the intervals before its first connection there was none."""
    return (*(0.0 for _ in range(len(service) - len(history))), *history)


def _refused(service: ServiceRate) -> int:
    return sum(each.connections for each in service.refusals)


def _protocol(service: ServiceRate) -> str:
    """As netstat names them: `tcp`, `tcp6`."""
    return service.protocol.lower() + ("6" if service.family is Family.IPV6 else "")


def _number(rate: float) -> str:
    return f"{rate:,.1f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


class _Console(Console):
    """A console that raises BrokenPipeError where nobody reads any more; rich itself would exit with 1."""

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError that is being handled."""
        raise  # noqa: PLE0704  rich calls this while it handles the error


def make_console() -> Console:
    """A console for stdout: as wide as its terminal, and in colour if --color or the terminal asks for it."""
    is_terminal = sys.stdout.isatty()
    color = click.get_current_context().color
    return _Console(
        force_terminal=is_terminal if color is None else color or is_terminal,
        no_color=color is False,
        width=None if is_terminal else _UNLIMITED_WIDTH,
    )
