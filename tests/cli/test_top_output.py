"""The keys of `top`, what they make of the rates, and the forms of its output."""

import json
import re
from io import StringIO

import pytest
from msgspec.structs import replace
from rich.console import Console, RenderableType

from pykubeproxy.cli.top_document import as_json
from pykubeproxy.cli.top_output import as_screen, as_text
from pykubeproxy.cli.top_view import Sort, TopView, keys_in
from pykubeproxy.traffic.rates import Rates, ServiceRate
from tests.cli.measured import rates, service


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("q", TopView(is_over=True)),
        ("Q", TopView(is_over=True)),
        ("x", TopView()),
        ("s", TopView(sort=Sort.REFUSED)),
        ("ss", TopView(sort=Sort.NAME)),
        ("sss", TopView()),
        (" ", TopView(is_paused=True)),
        ("  ", TopView()),
        ("/sq q", TopView(filter="sq q", is_typing=True)),
        ("/web\r", TopView(filter="web")),
        ("/web\x7f\x7f\r", TopView(filter="w")),
        ("/web\x1b", TopView()),
        ("/web\r\x1b", TopView()),
        ("\x1b[B\x1b[B\x1b[A", TopView(first=1)),
        ("\x1b[6~\x1b[A", TopView(first=9)),
        ("\x1b[A", TopView()),
        ("\x1b[Bs", TopView(sort=Sort.REFUSED)),
    ],
)
def test_what_keys_do(typed: str, expected: TopView) -> None:
    view = TopView()
    for key in keys_in(typed):
        view = view.after(key)
    assert view == expected


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (TopView(), ["ns/refused", "ns/busy", "ns/a", "ns/b"]),
        (TopView(sort=Sort.REFUSED), ["ns/refused", "ns/a", "ns/b", "ns/busy"]),
        (TopView(sort=Sort.NAME), ["ns/a", "ns/b", "ns/busy", "ns/refused"]),
        (TopView(filter="/b"), ["ns/busy", "ns/b"]),
        (TopView(filter="none"), []),
    ],
)
def test_order_and_filter(view: TopView, expected: list[str]) -> None:
    listed = {"ns/b": (1, 3), "ns/a": (4, 0), "ns/refused": (0, 0), "ns/busy": (0, 5)}
    its = rates(*(service(name, history=each, refused=9 * (name == "ns/refused")) for name, each in listed.items()))
    assert [each.service for each in view.arranged(its, 20).services] == expected


SOME = rates(service("ns/dns:dns", 6, 2), service("ns/web", 2, refused=2.0), service("ns/quiet:p", 0, 0))


def printed(picture: RenderableType, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(picture)
    file = console.file
    assert isinstance(file, StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def text(its: Rates, *, limit: int | None = None, width: int = 120) -> list[str]:
    return printed(as_text(its, limit, width), width)


def test_a_table() -> None:
    assert text(SOME) == [
        "10 new connections in 2.0 s, 5.0/s; 4 refused; 3 busy of 1,234 Service ports with 5,678 endpoints",
        "SERVICE, ENDPOINT              PROTO  CONN/S   SHARE  EXPECTED  HISTORY",
        "ns/dns:dns                     udp6      4.0   80.0%                 ▃█",
        "  [fd00::1]:80                           3.0   75.0%     50.0%       ▁█",
        "  [fd00::2]:80                           1.0   25.0%     50.0%       ▁▃",
        "ns/web                         udp6      1.0   20.0%                 ██",
        "  dropped: no local endpoints            2.0                         ▁█",
        "  [fd00::1]:80                           1.0  100.0%    100.0%       ▁█",
        "ns/quiet:p                     udp6      0.0    0.0%                 █▁",
        "  [fd00::1]:80                           0.0       -     50.0%       ▁▁",
        "  [fd00::2]:80                           0.0       -     50.0%       ▁▁",
    ]


def test_a_limit_says_what_it_leaves_out() -> None:
    assert text(rates()) == ["0 new connections in 2.0 s, 0.0/s; 0 busy of 1,234 Service ports with 5,678 endpoints"]
    assert text(SOME, limit=1)[4:] == ["  ... and 1 more endpoints", "... and 2 more Services"]
    document = json.loads(as_json(SOME, "", 1))
    (dns,) = document["services"]
    assert (document["more"], len(dns["endpoints"]), dns["more"]) == (1, 1, 1)


def screen(view: TopView, *, width: int = 100, height: int = 12, its: Rates | None = SOME) -> tuple[list[str], int]:
    picture, first = as_screen(its, view, None, width, height)
    return printed(picture, width), first


KEYS = "q quits   s sorts: connections   / filters   space pauses   arrows scroll"


@pytest.mark.parametrize("height", range(4, 20))
def test_a_screen_is_full_and_ends_with_the_keys(height: int) -> None:
    lines, _ = screen(TopView(), height=height)
    assert (len(lines), lines[-1]) == (height, KEYS)
    nothing, _ = screen(TopView(), height=height, its=None)
    assert (len(nothing), nothing[0], nothing[-1]) == (height, "measuring ...", KEYS)


@pytest.mark.parametrize(
    ("view", "last"),
    [
        (TopView(is_typing=True, filter="we"), "/we_   (Enter: keep, Esc: clear)"),
        (TopView(filter="we"), KEYS.replace("filters", "filters: we")),
        (TopView(is_paused=True), KEYS.replace("space pauses", "space goes on (paused)")),
        (TopView(sort=Sort.NAME), KEYS.replace("connections", "name")),
    ],
)
def test_the_last_line(view: TopView, last: str) -> None:
    assert screen(view)[0][-1] == last


LONG = "namespace-of-some-length/name-of-some-length:port"


def named(its: ServiceRate) -> ServiceRate:
    return replace(its, endpoints=tuple(replace(each, pod="ns/web-1", node="node-b") for each in its.endpoints))


@pytest.mark.parametrize(
    ("width", "titles", "is_cut"),
    [
        (120, ["POD", "NODE", "PROTO", "CONN/S", "SHARE", "EXPECTED", "HISTORY"], False),
        (105, ["POD", "PROTO", "CONN/S", "SHARE", "EXPECTED", "HISTORY"], False),
        (99, ["PROTO", "CONN/S", "SHARE", "EXPECTED", "HISTORY"], False),
        (90, ["PROTO", "CONN/S", "SHARE", "EXPECTED"], False),
        (78, ["PROTO", "CONN/S", "SHARE"], False),
        (68, ["CONN/S", "SHARE"], False),
        (50, ["CONN/S", "SHARE"], True),
    ],
)
def test_which_columns_a_narrow_terminal_goes_without(width: int, titles: list[str], *, is_cut: bool) -> None:
    lines = text(rates(named(service(LONG, 10))), width=width)
    assert all(len(line) <= width for line in lines)
    assert lines[1].split()[2:] == titles
    assert lines[2].startswith("namespace-of")
    assert ("…" in lines[2]) is is_cut
    assert re.search(r" 5\.0 +100\.0%", lines[2])


def test_json_of_one_interval() -> None:
    line = as_json(SOME, "2026-01-01T00:00:00Z", None)
    assert "\n" not in line
    document = json.loads(line)
    dns, web = document.pop("services")
    time = {"version": 1, "time": "2026-01-01T00:00:00Z", "seconds": 2.0}
    known = {"known": {"services": 1000, "servicePorts": 1234, "endpoints": 5678}, "more": 0}
    assert document == {**time, "connections": 10, "rate": 5.0, "refused": 4, **known}
    assert dns["service"] == "ns/dns:dns"
    name = {"service": "ns/web", "namespace": "ns", "name": "web", "port": "", "family": "ipv6", "protocol": "UDP"}
    only = {"endpoint": "[fd00::1]:80", "connections": 2, "rate": 1.0, "share": 1.0, "expectedShare": 1.0}
    refused = [{"reason": "no_local_endpoints", "connections": 4, "rate": 2.0}]
    counts = {"connections": 2, "rate": 1.0, "share": 0.2, "refused": refused, "more": 0}
    assert web == {**name, **counts, "endpoints": [only]}
    some = rates(named(SOME.services[1]))
    assert json.loads(as_json(some, "", 1))["services"][0]["endpoints"] == [
        {**only, "pod": "ns/web-1", "node": "node-b"}
    ]
    assert "  [fd00::1]:80                 web-1  node-b" in text(some)[4]
