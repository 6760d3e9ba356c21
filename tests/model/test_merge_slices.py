"""EndpointSlices of a Service, merged: endpoints.md sections 3, 4 and 11."""

from itertools import permutations
from typing import Any

import pytest

from pykubeproxy.model.endpoint import PortKey, host_port, merge_slices
from pykubeproxy.model.service import Protocol
from tests.builders import at, slice_of, slice_port

P80 = PortKey("p80", Protocol.TCP)


def test_example_a() -> None:
    http = (slice_port("http", 8080),)
    first = slice_of(
        "ns/svc",
        at("10.0.0.2", "n1"),
        at("10.0.0.10", "n2", ready=False, terminating=True),
        part="s1",
        ports=http,
    )
    second = slice_of("ns/svc", at("10.0.0.10", "n2"), part="s2", ports=http)
    (endpoints,) = merge_slices([first, second], "n1").values()
    assert [(e.text, e.ip, e.ready, e.terminating, e.is_local) for e in endpoints] == [
        ("10.0.0.10:8080", "10.0.0.10", True, False, False),
        ("10.0.0.2:8080", "10.0.0.2", True, False, True),
    ]


@pytest.mark.parametrize(
    "texts",
    [
        ["10.180.0.10", "10.180.0.1"],
        ["10.0.0.10", "10.0.0.2"],
        ["fd00::10", "fd00::1"],
        ["fd00::1", "fd00::a"],
    ],
)
def test_order_is_that_of_the_text(texts: list[str]) -> None:
    merged = merge_slices([slice_of("ns/svc", *reversed(texts))], "n1")
    assert [endpoint.ip for endpoint in merged[P80]] == texts


def test_ports_are_ordered_as_text_too() -> None:
    both = (slice_port("p80", 80), slice_port("p80", 443))
    assert [e.text for e in merge_slices([slice_of("ns/svc", "10.0.0.1", ports=both)], "n1")[P80]] == [
        "10.0.0.1:443",
        "10.0.0.1:80",
    ]


def test_ports_are_told_apart_by_name_and_protocol() -> None:
    ports = (slice_port("dns", 53), slice_port("dns", 53, Protocol.UDP), slice_port("", 80))
    merged = merge_slices([slice_of("ns/svc", "10.0.0.1", ports=ports)], "n1")
    assert {key: [e.text for e in endpoints] for key, endpoints in merged.items()} == {
        PortKey("dns", Protocol.TCP): ["10.0.0.1:53"],
        PortKey("dns", Protocol.UDP): ["10.0.0.1:53"],
        PortKey("", Protocol.TCP): ["10.0.0.1:80"],
    }


def test_nothing_comes_of_no_ports_or_no_endpoints() -> None:
    assert merge_slices([slice_of("ns/svc", "10.0.0.1", ports=()), slice_of("ns/svc", part="b")], "n1") == {}


def test_headless_slices_do_not_count() -> None:
    assert merge_slices([slice_of("ns/svc", "10.0.0.1", is_headless=True)], "n1") == {}


READY = {"ready": True}
UNREADY = {"ready": False}
TERMINATING = {"ready": False, "terminating": True}
GONE = {"ready": False, "serving": False, "terminating": True}


@pytest.mark.parametrize(
    ("slices", "kept"),
    [
        ((READY, TERMINATING), READY),
        ((TERMINATING, READY), READY),
        ((UNREADY, TERMINATING), UNREADY),
        ((TERMINATING, UNREADY), UNREADY),
        ((TERMINATING, GONE), TERMINATING),
        ((GONE, TERMINATING), GONE),
        ((UNREADY, READY), READY),
    ],
)
def test_of_duplicates_one_is_kept(slices: tuple[dict[str, Any], ...], kept: dict[str, bool]) -> None:
    """The one that is not terminating, whatever the order; otherwise by the order of the slices' names."""
    made = [slice_of("ns/svc", at("10.0.0.1", **fields), part=str(i)) for i, fields in enumerate(slices)]
    for order in permutations(made):
        (endpoint,) = merge_slices(order, "n1")[P80]
        assert (endpoint.ready, endpoint.serving, endpoint.terminating) == (
            kept["ready"],
            kept.get("serving", True),
            kept.get("terminating", False),
        )


@pytest.mark.parametrize(
    ("node", "own", "local"),
    [("n1", "n1", True), ("n2", "n1", False), ("", "n1", False), ("", "", False), ("N1", "n1", False)],
)
def test_local_means_on_the_node_of_that_very_name(node: str, own: str, *, local: bool) -> None:
    (endpoint,) = merge_slices([slice_of("ns/svc", at("10.0.0.1", node))], own)[P80]
    assert endpoint.is_local is local


def test_conditions_and_hints_are_kept() -> None:
    source = at("10.0.0.1", "n1", ready=False, serving=True, terminating=True, zones=("a", "b"), nodes=("n1",))
    (endpoint,) = merge_slices([slice_of("ns/svc", source)], "n1")[P80]
    assert (endpoint.ready, endpoint.serving, endpoint.terminating) == (False, True, True)
    assert (endpoint.zones, endpoint.nodes) == (("a", "b"), ("n1",))
    assert endpoint.serves_while_terminating


@pytest.mark.parametrize(
    ("address", "text"), [("10.0.0.1", "10.0.0.1:80"), ("fd00::1", "[fd00::1]:80"), ("::", "[::]:80")]
)
def test_host_port(address: str, text: str) -> None:
    assert host_port(address, 80) == text
