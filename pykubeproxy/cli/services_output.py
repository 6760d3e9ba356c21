"""`services` for people and for programs."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from pykubeproxy.explain.changes import AddressKind
from pykubeproxy.explain.service_view import ServiceView, UnequalServices
from pykubeproxy.explain.service_view_words import (
    address_texts,
    endpoint_count_text,
    endpoint_text,
    note_texts,
    port_text,
    refusal_texts,
    unequal_texts,
)

VERSION = 1
"""The version of the document, as docs/services-json.md describes it."""

_TITLES = ("SERVICE", "PORT", "CLUSTER IP", "OTHER ADDRESSES", "ENDPOINTS", "NOTES")
_BETWEEN = "  "

# So many ServicePorts are named that only objects, or only rules, have.
_MOST_NAMED = 10


def as_json(views: Sequence[ServiceView], unequal: Sequence[UnequalServices] | None) -> str:
    """One document with all that is shown; `unequal` is null where there were no objects to compare with."""
    document = {"version": VERSION, "services": [_fields(view) for view in views], "unequal": unequal}
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _fields(view: ServiceView) -> dict[str, Any]:
    return {**msgspec.to_builtins(view), "says": [*refusal_texts(view), *note_texts(view)]}


def as_table(views: Sequence[ServiceView], unequal: Sequence[UnequalServices] | None) -> Iterator[str]:
    """One line for each ServicePort, and a last one that sums them up."""
    rows = [_row(view) for view in views]
    widths = [max(map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    if rows:
        yield click.style(_line(_TITLES, widths), bold=True)
    for view, row in zip(views, rows, strict=True):
        line = _line(row, widths)
        yield click.style(line, fg="red") if view.refused else line
    yield _sum(views)
    yield from _unequal_lines(unequal)


def as_pages(views: Sequence[ServiceView], unequal: Sequence[UnequalServices] | None) -> Iterator[str]:
    """Each ServicePort whole, with an empty line between them."""
    for number, view in enumerate(views):
        if number:
            yield ""
        yield from _page(view)
    yield from _unequal_lines(unequal)


def _row(view: ServiceView) -> tuple[str, ...]:
    cluster_ips = [each.address for each in view.addresses if each.address_kind is AddressKind.CLUSTER_IP]
    others = [f"{what} {address}" for what, address in address_texts(view) if address not in cluster_ips]
    return (
        view.title,
        ", ".join(map(port_text, view.ports)) or "-",
        ", ".join(cluster_ips) or "-",
        ", ".join(others) or "-",
        endpoint_count_text(view),
        "; ".join((*refusal_texts(view), *note_texts(view))),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _BETWEEN.join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _page(view: ServiceView) -> Iterator[str]:
    yield click.style(f"{view.title}  {', '.join(map(port_text, view.ports))}  {view.family}", bold=True)
    fields = [
        *address_texts(view),
        *(("", click.style(refusal, fg="red")) for refusal in refusal_texts(view)),
        *(("", note) for note in note_texts(view)),
        ("endpoints", endpoint_count_text(view)),
    ]
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        yield f"  {name:<{width}}  {value}"
    for endpoint in view.endpoints:
        yield f"  {'':<{width}}  {endpoint_text(endpoint)}"


def _sum(views: Sequence[ServiceView]) -> str:
    """`3 ports of 2 Services; 1 port is refused or dropped`."""
    refused = sum(bool(view.refused) for view in views)
    services = len({view.service for view in views})
    ports = len({view.title for view in views})
    verb = "has" if refused == 1 else "have"
    text = f"{_count(ports, 'port')} of {_count(services, 'Service')}"
    return f"{text}; {refused:,} {verb} traffic that is refused or dropped" if refused else text


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _unequal_lines(unequal: Sequence[UnequalServices] | None) -> Iterator[str]:
    for each in unequal or ():
        for what, titles in unequal_texts(each):
            yield ""
            yield click.style(f"{len(titles):,} {what}:", fg="yellow")
            yield from (f"  {title}" for title in titles[:_MOST_NAMED])
            if len(titles) > _MOST_NAMED:
                yield f"  ... and {len(titles) - _MOST_NAMED:,} more"
    if unequal is not None and not unequal:
        yield "The rules have the Services that the objects have."
