"""What `top` prints of one interval: a table for people, one line of JSON for programs."""

from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pykubeproxy.explain.service_view_words import refusal_reason_text
from pykubeproxy.explain.sparkline import sparkline
from pykubeproxy.model.ip import Family
from pykubeproxy.traffic.rates import EndpointRate, Rates, ServiceRate

_FEW = 20

# Columns of a terminal that names of the usual length and numbers take.
_WITHOUT_BARS = 70

_Row = tuple[str | Text, ...]
"""Cells of a row; those that are missing at its end are empty."""


def as_json(rates: Rates, time: str, limit: int | None) -> str:
    """One document in one line: the Services that had connections in the interval, and their endpoints.

    There are at most `limit` Services in it, and endpoints of each; `more` is the number of all others.
    """
    busy = [service for service in rates.services if service.connections or _refused(service)]
    document = {
        "time": time,
        "seconds": round(rates.seconds, 6),
        "connections": rates.connections,
        "rate": rates.rate,
        "refused": rates.refused,
        "known": {"services": rates.known_services, "endpoints": rates.known_endpoints},
        "services": [_service_fields(service, limit) for service in busy[:limit]],
        "more": len(busy) - len(busy[:limit]),
    }
    return msgspec.json.encode(document).decode()


def as_text(rates: Rates, limit: int | None, width: int, height: int | None = None) -> RenderableType:
    """A heading, and a table of the busy Services and their endpoints, in at most `height` lines."""
    most = _FEW if limit is None else limit
    bars = max(1, width - _WITHOUT_BARS)
    rows = [row for service in rates.services[:most] for row in _service_rows(service, most, bars)]
    if len(rates.services) > most:
        rows.append((_name(f"... and {len(rates.services) - most} more Services"),))
    # Beside the rows there are the heading, the titles, and a line with the number of rows that do not fit.
    if height is not None and len(rows) > height - 2:
        room = max(0, height - 3)
        rows = [*rows[:room], (_name(f"... and {len(rows) - room} more lines"),)]
    heading = Text(_heading(rates), no_wrap=True, overflow="ellipsis")
    return Group(heading, _table(rows)) if rows else heading


def _heading(rates: Rates) -> str:
    return (
        f"{rates.connections:,} new connections in {rates.seconds:.1f} s, {_number(rates.rate)}/s; "
        f"{f'{rates.refused:,} refused; ' if rates.refused else ''}"
        f"{len(rates.services):,} busy of {rates.known_services:,} Services with {rates.known_endpoints:,} endpoints"
    )


def _table(rows: Sequence[_Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    # Where there is little room, rich narrows columns that it may wrap: names alone, which are cut instead.
    table.add_column(_name("SERVICE, ENDPOINT"))
    table.add_column("PROTO", no_wrap=True)
    for title in ("CONN/S", "SHARE", "EXPECTED", "HISTORY"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _name(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _service_rows(service: ServiceRate, most: int, bars: int) -> Iterator[_Row]:
    """One row for the Service, and one for each of its endpoints; the bars of all endpoints have the same scale."""
    latest = service.history[-bars:]
    yield (
        _name(service.service, "bold"),
        _protocol(service),
        Text(_number(service.rate), style="bold"),
        _percent(service.share),
        "",
        Text(sparkline(latest), style="cyan"),
    )
    for refusal in service.refusals:
        yield (
            _name(f"  {refusal_reason_text(refusal.reason)}", "red"),
            "",
            Text(_number(refusal.rate), style="red"),
            "",
            "",
            Text(sparkline(_last(refusal.history, max(len(latest), 1))), style="red"),
        )
    top = max((rate for endpoint in service.endpoints for rate in endpoint.history), default=0.0)
    for endpoint in service.endpoints[:most]:
        yield (
            _name(f"  {endpoint.endpoint}"),
            "",
            _number(endpoint.rate),
            _percent(endpoint.share),
            _percent(endpoint.expected),
            Text(sparkline(_last(endpoint.history, len(latest)), top), style="cyan"),
        )
    if len(service.endpoints) > most:
        yield (_name(f"  ... and {len(service.endpoints) - most} more endpoints"),)


def _last(history: Sequence[float], length: int) -> Sequence[float]:
    """The last `length` intervals; those before the first connection count as 0."""
    return (*(0.0 for _ in range(length - len(history))), *history[-length:])


def _refused(service: ServiceRate) -> int:
    return sum(each.connections for each in service.refusals)


def _protocol(service: ServiceRate) -> str:
    """As netstat names them: `tcp`, `tcp6`."""
    return service.protocol.lower() + ("6" if service.family is Family.IPV6 else "")


def _number(rate: float) -> str:
    return f"{rate:,.1f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _service_fields(service: ServiceRate, limit: int | None) -> dict[str, object]:
    namespace, _, rest = service.service.partition("/")
    name, _, port = rest.partition(":")
    return {
        "service": service.service,
        "namespace": namespace,
        "name": name,
        "port": port,
        "family": service.family.lower(),
        "protocol": service.protocol,
        "connections": service.connections,
        "rate": service.rate,
        "share": service.share,
        "refused": [
            {"reason": each.reason, "connections": each.connections, "rate": each.rate}
            for each in service.refusals
            if each.connections
        ],
        "endpoints": [_endpoint_fields(endpoint) for endpoint in service.endpoints[:limit]],
        "more": len(service.endpoints) - len(service.endpoints[:limit]),
    }


def _endpoint_fields(endpoint: EndpointRate) -> dict[str, object]:
    return {
        "endpoint": endpoint.endpoint,
        "connections": endpoint.connections,
        "rate": endpoint.rate,
        "share": endpoint.share,
        "expectedShare": endpoint.expected,
    }
