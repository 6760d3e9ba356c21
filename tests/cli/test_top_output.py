"""The forms of `top`'s output."""

import json
from io import StringIO

import pytest
from msgspec.structs import replace
from rich.console import Console, RenderableType

from pykubeproxy.cli.top_output import as_json, as_screen, as_text
from pykubeproxy.cli.top_view import Sort, TopView
from pykubeproxy.explain.service_view_words import refusal_reason_text
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.refusals import RefusalReason
from pykubeproxy.traffic.rates import EndpointRate, Rates, RefusalRate, ServiceRate


def endpoint(number: int, connections: int, of: int, count: int) -> EndpointRate:
    return EndpointRate(
        endpoint=f"[fd00::{number}]:80",
        connections=connections,
        rate=connections / 2,
        share=connections / of if of else None,
        expected=1 / count,
        history=(connections / 2,),
    )


def service(name: str, *connections: int, before: float = 1.0, total: int = 10) -> ServiceRate:
    own = sum(connections)
    return ServiceRate(
        family=Family.IPV6,
        service=name,
        protocol="UDP",
        connections=own,
        rate=own / 2,
        share=own / total,
        history=(before, own / 2),
        endpoints=tuple(
            endpoint(number, each, own, len(connections)) for number, each in enumerate(connections, start=1)
        ),
    )


def rates(*services: ServiceRate) -> Rates:
    return Rates(
        seconds=2.0,
        connections=sum(each.connections for each in services),
        services=services,
        known_services=1234,
        known_endpoints=5678,
    )


SOME = rates(service("ns/dns:dns", 6, 2), service("ns/web", 2), service("ns/quiet:p", 0, 0))


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
        "10 new connections in 2.0 s, 5.0/s; 3 busy of 1,234 Service ports with 5,678 endpoints",
        "SERVICE, ENDPOINT  PROTO  CONN/S   SHARE  EXPECTED  HISTORY",
        "ns/dns:dns         udp6      4.0   80.0%                 ▃█",
        "  [fd00::1]:80               3.0   75.0%     50.0%       ▁█",
        "  [fd00::2]:80               1.0   25.0%     50.0%       ▁▃",
        "ns/web             udp6      1.0   20.0%                 ██",
        "  [fd00::1]:80               1.0  100.0%    100.0%       ▁█",
        "ns/quiet:p         udp6      0.0    0.0%                 █▁",
        "  [fd00::1]:80               0.0       -     50.0%       ▁▁",
        "  [fd00::2]:80               0.0       -     50.0%       ▁▁",
    ]


REFUSED = replace(
    service("ns/away", 2, total=2),
    refusals=(RefusalRate(reason=RefusalReason.NO_LOCAL_ENDPOINTS, connections=4, rate=2.0, history=(2.0,)),),
)


def test_what_is_refused() -> None:
    assert text(replace(rates(REFUSED), refused=4)) == [
        "2 new connections in 2.0 s, 1.0/s; 4 refused; 1 busy of 1,234 Service ports with 5,678 endpoints",
        "SERVICE, ENDPOINT              PROTO  CONN/S   SHARE  EXPECTED  HISTORY",
        "ns/away                        udp6      1.0  100.0%                 ██",
        "  dropped: no local endpoints            2.0                         ▁█",
        "  [fd00::1]:80                           1.0  100.0%    100.0%       ▁█",
    ]
    document = json.loads(as_json(replace(rates(REFUSED), refused=4), "", None))
    assert document["refused"] == 4
    assert document["services"][0]["refused"] == [{"reason": "no_local_endpoints", "connections": 4, "rate": 2.0}]


def test_each_reason_has_words() -> None:
    assert len({refusal_reason_text(reason) for reason in RefusalReason}) == len(RefusalReason)


def test_nothing_to_show() -> None:
    assert text(rates()) == ["0 new connections in 2.0 s, 0.0/s; 0 busy of 1,234 Service ports with 5,678 endpoints"]


def test_a_limit_says_what_it_leaves_out() -> None:
    lines = text(SOME, limit=1)
    assert lines[3].startswith("  [fd00::1]:80 ")
    assert lines[4:] == ["  ... and 1 more endpoints", "... and 2 more Services"]


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


def test_what_is_scrolled_away() -> None:
    top, _ = screen(TopView(), height=6)
    lines, first = screen(TopView(first=2), height=6)
    assert (lines[:2], lines[2], first) == (top[:2], top[4], 2)
    lines, first = screen(TopView(first=100), height=6)
    assert lines[4].startswith("  [fd00::2]:80")
    assert first == 5, "the last lines fill the screen"


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


@pytest.mark.parametrize(
    ("width", "titles", "is_cut"),
    [
        (120, ["PROTO", "CONN/S", "SHARE", "EXPECTED", "HISTORY"], False),
        (90, ["PROTO", "CONN/S", "SHARE", "EXPECTED"], False),
        (78, ["PROTO", "CONN/S", "SHARE"], False),
        (68, ["CONN/S", "SHARE"], False),
        (50, ["CONN/S", "SHARE"], True),
    ],
)
def test_which_columns_a_narrow_terminal_goes_without(width: int, titles: list[str], *, is_cut: bool) -> None:
    lines = text(rates(service(LONG, 10)), width=width)
    assert all(len(line) <= width for line in lines)
    assert lines[1].split()[2:] == titles
    assert lines[2].startswith("namespace-of")
    assert ("…" in lines[2]) is is_cut
    assert "5.0  100.0%" in lines[2]


def test_json_of_one_interval() -> None:
    line = as_json(SOME, "2026-01-01T00:00:00Z", None)
    assert "\n" not in line
    document = json.loads(line)
    services = document.pop("services")
    assert document == {
        "version": 1,
        "time": "2026-01-01T00:00:00Z",
        "seconds": 2.0,
        "connections": 10,
        "rate": 5.0,
        "refused": 0,
        "known": {"services": 1234, "endpoints": 5678},
        "more": 0,
    }
    assert [each["service"] for each in services] == ["ns/dns:dns", "ns/web"]
    endpoints = services[1].pop("endpoints")
    assert services[1] == {
        "service": "ns/web",
        "namespace": "ns",
        "name": "web",
        "port": "",
        "family": "ipv6",
        "protocol": "UDP",
        "connections": 2,
        "rate": 1.0,
        "share": 0.2,
        "refused": [],
        "more": 0,
    }
    assert endpoints == [
        {"endpoint": "[fd00::1]:80", "connections": 2, "rate": 1.0, "share": 1.0, "expectedShare": 1.0}
    ]


def test_json_with_a_limit() -> None:
    document = json.loads(as_json(SOME, "", 1))
    assert document["more"] == 1
    (dns,) = document["services"]
    assert (len(dns["endpoints"]), dns["more"]) == (1, 1)
