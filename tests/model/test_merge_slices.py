"""EndpointSlices of a Service, merged: docs/reference/endpoints.md sections 3, 4 and 11."""

from itertools import permutations, product

import pytest

from pykubeproxy.model.endpoint import PortKey, merge_slices
from pykubeproxy.model.service import Protocol
from tests.builders import at, slice_of

P80 = PortKey("p80", Protocol.TCP)


def test_nothing_comes_of_no_ports_or_no_endpoints_or_headless_slices() -> None:
    headless = slice_of("ns/svc", "10.0.0.1", part="c", is_headless=True)
    assert merge_slices([slice_of("ns/svc", "10.0.0.1", ports=()), slice_of("ns/svc", part="b"), headless], "n1") == {}


# Every combination of ready, serving and terminating.
CONDITIONS = [
    {"ready": ready, "serving": serving, "terminating": terminating}
    for ready, serving, terminating in product((True, False), repeat=3)
]


def better(one: dict[str, bool], other: dict[str, bool]) -> dict[str, bool]:
    """Ready before all else, then serving, then not terminating."""
    for field, wanted in (("ready", True), ("serving", True), ("terminating", False)):
        if one[field] is not other[field]:
            return one if one[field] is wanted else other
    return one


@pytest.mark.parametrize("in_one_slice", [True, False])
@pytest.mark.parametrize(("one", "other"), list(product(CONDITIONS, repeat=2)))
def test_of_duplicates_the_better_condition_counts(
    one: dict[str, bool], other: dict[str, bool], *, in_one_slice: bool
) -> None:
    """With all that the entry says, whatever the order."""
    entries = [at("10.0.0.1", f"n{i}", zones=(f"z{i}",), **each) for i, each in enumerate((one, other))]
    if in_one_slice:
        slices = [slice_of("ns/svc", *entries)]
    else:
        slices = [slice_of("ns/svc", each, part=str(i)) for i, each in enumerate(entries)]
    for order in permutations(slices):
        (endpoint,) = merge_slices(order, "n0")[P80]
        wanted = better(one, other)
        assert {field: getattr(endpoint, field) for field in wanted} == wanted
        if one != other:
            index = 0 if wanted is one else 1
            assert (endpoint.zones, endpoint.is_local) == ((f"z{index}",), index == 0)


@pytest.mark.parametrize(
    ("node", "own", "local"), [("n1", "n1", True), ("", "n1", False), ("", "", False), ("N1", "n1", False)]
)
def test_local_means_on_the_node_of_that_very_name(node: str, own: str, *, local: bool) -> None:
    source = at("10.0.0.1", node, zones=("a", "b"), nodes=("n1",))
    (endpoint,) = merge_slices([slice_of("ns/svc", source)], own)[P80]
    assert endpoint.is_local is local
    assert (endpoint.zones, endpoint.nodes) == (("a", "b"), ("n1",))
