"""The keys of `top`, and what they make of the rates."""

import pytest
from msgspec.structs import replace

from pykubeproxy.cli.top_view import Key, Sort, TopView, keys_in
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.refusals import RefusalReason
from pykubeproxy.traffic.rates import EndpointRate, Rates, RefusalRate, ServiceRate


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("q", ["q"]),
        ("/web\r", ["/", "w", "e", "b", Key.ENTER]),
        ("\x1b[A\x1bOA\x1b[B", [Key.UP, Key.UP, Key.DOWN]),
        ("\x1b[5~\x1b[6~", [Key.PAGE_UP, Key.PAGE_DOWN]),
        ("\x1b", [Key.ESCAPE]),
        ("a\x7fb", ["a", Key.BACKSPACE, "b"]),
        ("\x1b[1;5Cs", ["s"]),
        ("\x01\x00", []),
    ],
)
def test_what_a_terminal_sends(typed: str, keys: list[str]) -> None:
    assert list(keys_in(typed)) == keys


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


def endpoint(address: str, *history: float) -> EndpointRate:
    return EndpointRate(endpoint=address, connections=0, rate=0.0, share=None, expected=None, history=history)


def service(name: str, *history: float, refused: float = 0.0) -> ServiceRate:
    reason = RefusalReason.NO_ENDPOINTS
    refusals = (RefusalRate(reason=reason, connections=0, rate=0.0, history=(refused,)),) if refused else ()
    empty = ServiceRate(
        family=Family.IPV4,
        service=name,
        protocol="TCP",
        connections=0,
        rate=0.0,
        share=None,
        history=history,
        endpoints=(),
    )
    return replace(empty, refusals=refusals)


def rates(*services: ServiceRate) -> Rates:
    return Rates(seconds=1.0, connections=0, services=services, known_services=0, known_endpoints=0)


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
    its = rates(
        service("ns/b", 1, 3), service("ns/a", 4, 0), service("ns/refused", refused=9), service("ns/busy", 0, 5)
    )
    assert [each.service for each in view.arranged(its, 20).services] == expected


def test_one_interval_alone_changes_no_places() -> None:
    before = rates(service("ns/a", 5, 4, 5), service("ns/b", 4, 4, 4))
    after = rates(service("ns/a", 5, 4, 5, 4), service("ns/b", 4, 4, 4, 5))
    assert [[each.service for each in TopView().arranged(its, 20).services] for its in (before, after)] == [
        ["ns/a", "ns/b"]
    ] * 2


def test_endpoints_are_in_the_order_of_their_addresses() -> None:
    listed = (
        endpoint("10.0.0.10:80", 3),
        endpoint("10.0.0.9:80", 1),
        endpoint("10.0.0.9:79", 2),
        endpoint("[fd00::1]:80", 9),
        endpoint("", 0),
    )
    its = rates(replace(service("ns/a", 1), endpoints=listed))

    def shown(limit: int) -> list[str]:
        (only,) = TopView().arranged(its, limit).services
        assert len(only.endpoints) == len(listed)
        return [each.endpoint for each in only.endpoints[:limit]]

    assert shown(20) == ["", "10.0.0.9:79", "10.0.0.9:80", "10.0.0.10:80", "[fd00::1]:80"]
    assert shown(2) == ["10.0.0.10:80", "[fd00::1]:80"]
