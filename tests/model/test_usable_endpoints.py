"""Which endpoints may be used: docs/reference/endpoints.md sections 6, 7 and 11, docs/reference/test-scenarios.md
section 7."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.endpoint import Endpoint
from pykubeproxy.model.service import ServicePort, ServiceType
from pykubeproxy.model.topology import UsableEndpoints, usable_endpoints
from tests.builders import endpoint, port, service_port

NODE, ZONE = "n1", "zone-a"


def its_policies(*, internal: bool = False, external: bool = False, accessible: bool = True) -> ServicePort:
    return service_port(
        type=ServiceType.NODE_PORT,
        ports=(port(node_port=30000 if accessible else 0),),
        internal_traffic_local=internal,
        external_traffic_local=external,
    )


CLUSTER_ONLY = its_policies()
BOTH = its_policies(external=True)
INTERNAL_ONLY = its_policies(internal=True, accessible=False)

STATES: dict[str, dict[str, bool]] = {
    "ready": {},
    "st": {"ready": False, "terminating": True},
    "serving": {"ready": False},
    "gone": {"ready": False, "serving": False, "terminating": True},
    "dead": {"ready": False, "serving": False},
    "published": {"ready": True, "serving": False, "terminating": True},
}


def made(*texts: str) -> tuple[Endpoint, ...]:
    """Endpoints from words such as `L ready zone-a n1,n2`: local or remote, state, hinted zones and nodes."""
    endpoints = []
    for i, text in enumerate(texts, 1):
        where, state, *hints = text.split()
        zones, nodes = (hint.strip("-").split(",") for hint in (*hints, "-", "-")[:2])
        fields: dict[str, Any] = {**STATES[state], "is_local": where == "L"}
        endpoints.append(
            endpoint(f"10.0.0.{i}", zones=tuple(filter(None, zones)), nodes=tuple(filter(None, nodes)), **fields)
        )
    return tuple(endpoints)


def numbers(endpoints: tuple[Endpoint, ...]) -> list[int]:
    return [int(endpoint.ip.rpartition(".")[2]) for endpoint in endpoints]


def summary(usable: UsableEndpoints) -> tuple[list[int], list[int], list[int], bool]:
    return numbers(usable.cluster), numbers(usable.local), numbers(usable.reachable), usable.exist_anywhere


@pytest.mark.parametrize(
    ("texts", "policies", "expected"),
    [
        # The table of docs/reference/endpoints.md section 11.
        (["L ready", "R ready"], CLUSTER_ONLY, ([1, 2], [], [1, 2], True)),
        (["L ready", "R ready"], BOTH, ([1, 2], [1], [1, 2], True)),
        (["L ready", "R ready"], INTERNAL_ONLY, ([], [1], [1], True)),
        (["R ready"], INTERNAL_ONLY, ([], [], [], True)),
        (["L st", "R ready"], BOTH, ([2], [1], [1, 2], True)),
        (["L st", "R st"], BOTH, ([1, 2], [1], [1, 2], True)),
        (["L serving"], BOTH, ([], [], [], False)),
        (["L gone", "R ready"], BOTH, ([2], [], [2], True)),
        (["L ready zone-b", "R ready zone-a"], CLUSTER_ONLY, ([2], [], [2], True)),
        (["L ready zone-b", "R ready zone-a"], BOTH, ([2], [1], [1, 2], True)),
        (["L ready - n1", "R ready - n2"], CLUSTER_ONLY, ([1], [], [1], True)),
        (["R ready zone-b n2", "R ready zone-a n3"], CLUSTER_ONLY, ([2], [], [2], True)),
        # Sections 6 and 7.
        (["R published", "R st"], CLUSTER_ONLY, ([1], [], [1], True)),
        (["R ready zone-b,zone-a", "R ready zone-b"], CLUSTER_ONLY, ([1], [], [1], True)),
        # No hint for this zone, or for this node: as if there were none of that kind.
        (["R ready zone-b", "R ready zone-c"], CLUSTER_ONLY, ([1, 2], [], [1, 2], True)),
        (["R ready zone-a n1", "R ready zone-b"], CLUSTER_ONLY, ([1], [], [1], True)),
        # This node goes before its zone.
        (["R ready zone-a n2", "R ready zone-b n1"], CLUSTER_ONLY, ([2], [], [2], True)),
        (["R serving zone-a", "R ready zone-a", "R ready zone-b"], CLUSTER_ONLY, ([2], [], [2], True)),
        # The terminating fallback knows no topology.
        (["R st zone-a", "R st zone-b"], CLUSTER_ONLY, ([1, 2], [], [1, 2], True)),
    ],
)
def test_case(texts: list[str], policies: ServicePort, expected: tuple[list[int], list[int], list[int], bool]) -> None:
    assert summary(usable_endpoints(policies, made(*texts), NODE, ZONE)) == expected


@pytest.mark.parametrize("zone", ["zone-b", ""])
def test_a_node_without_a_zone_ignores_zone_hints_even_empty_ones(zone: str) -> None:
    hinted = (endpoint("10.0.0.1", zones=(zone,)), endpoint("10.0.0.2", zones=("zone-a",)))
    assert numbers(usable_endpoints(CLUSTER_ONLY, hinted, NODE, "").cluster) == [1, 2]


words = st.builds(
    " ".join,
    st.tuples(
        st.sampled_from("LR"),
        st.sampled_from(list(STATES)),
        st.sampled_from(["-", "zone-a", "zone-b", "zone-a,zone-b"]),
        st.sampled_from(["-", "n1", "n2"]),
    ),
)


@given(st.lists(words, max_size=6), st.booleans(), st.booleans(), st.booleans())
def test_whatever_the_endpoints(texts: list[str], internal: bool, external: bool, accessible: bool) -> None:  # noqa: FBT001
    policies = its_policies(internal=internal, external=external, accessible=accessible)
    endpoints = made(*texts)
    usable = usable_endpoints(policies, endpoints, NODE, ZONE)
    alive = [e for e in endpoints if e.ready or (e.serving and e.terminating)]

    assert usable.exist_anywhere is bool(alive)
    assert set(numbers(usable.reachable)) == {*numbers(usable.cluster), *numbers(usable.local)}
    assert set(numbers(usable.reachable)) <= set(numbers(tuple(alive)))
    best = [e for e in alive if e.ready] or alive
    best_local = [e for e in alive if e.is_local and e.ready] or [e for e in alive if e.is_local]
    assert numbers(usable.local) == (numbers(tuple(best_local)) if policies.uses_local_endpoints else [])
    assert bool(usable.cluster) is (policies.uses_cluster_endpoints and bool(alive))
    assert set(numbers(usable.cluster)) <= set(numbers(tuple(best)))
    for part in (usable.cluster, usable.local, usable.reachable):
        assert [e.text for e in part] == sorted({e.text for e in part})
