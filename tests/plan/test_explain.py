"""A Plan in words: what a person reads before a take-over."""

from collections.abc import Sequence
from typing import Any

import pytest

from pykubeproxy.host.memory import copy
from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.plan.diff import diff
from pykubeproxy.plan.explain import Explanation, explain
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import NODE, at, cidr, ip, options, port, service, slice_of, snapshot

NAME = "ns1/svc1"
TITLE = "ns1/svc1:p80"
FIRST, SECOND, THIRD = "10.0.1.1", "10.0.1.2", "10.0.1.3"
NODE_PORT = {"type": ServiceType.NODE_PORT, "ports": (port(node_port=30080),)}
BALANCED = {"type": ServiceType.LOAD_BALANCER, "load_balancer_ips": (ip("192.0.2.1"),)}


def compiled(objects: Sequence[Object], dispatch: Dispatch = Dispatch.LINEAR) -> Ruleset:
    return compile_ruleset(snapshot(*objects), options(dispatch=dispatch))


def told(desired: Ruleset, live: Ruleset) -> Explanation:
    return explain(diff(desired, live), desired, live)


def words(before: Sequence[Object], after: Sequence[Object]) -> dict[str, tuple[str, ...]]:
    explanation = told(compiled(after), compiled(before))
    assert not explanation.other
    return {change.service: change.words for change in explanation.services}


def web(*addresses: str, **fields: Any) -> tuple[Object, Object]:
    return service(NAME, **fields), slice_of(NAME, *(at(address, NODE) for address in addresses), ports=None)


CHANGES = {
    "endpoint added": (web(FIRST), web(FIRST, SECOND), f"endpoint {SECOND}:80 added, 1 -> 2, each now 50%"),
    "endpoint removed": (
        web(FIRST, SECOND, THIRD),
        web(FIRST, SECOND),
        f"endpoint {THIRD}:80 removed, 3 -> 2, each now 50%",
    ),
    "one replaced": (web(FIRST), web(SECOND), f"endpoint {SECOND}:80 added and endpoint {FIRST}:80 removed, 1 -> 1"),
    "new": ((), web(FIRST, SECOND, THIRD), "new, with 3 endpoints, each 33.3%"),
    "new but empty": ((), (service(NAME),), "new; it has no endpoints"),
    "removed": (web(FIRST), (), "removed, with its 1 endpoint"),
    "policy": (
        web(FIRST, **NODE_PORT),
        web(FIRST, **NODE_PORT, external_traffic_local=True),
        "externalTrafficPolicy Cluster -> Local",
    ),
    "internal policy": (
        web(FIRST, internal_traffic_local=True),
        web(FIRST),
        "internalTrafficPolicy Local -> Cluster",
    ),
    "affinity on": (web(FIRST), web(FIRST, affinity_seconds=600), "session affinity for 600 s"),
    "affinity off": (web(FIRST, affinity_seconds=600), web(FIRST), "no session affinity any more"),
    "affinity time": (
        web(FIRST, affinity_seconds=60),
        web(FIRST, affinity_seconds=90),
        "session affinity 60 s -> 90 s",
    ),
    "node port added": (web(FIRST), web(FIRST, **NODE_PORT), "node port 30080/tcp added"),
    "cluster IP": (
        web(FIRST),
        web(FIRST, cluster_ip="172.30.0.99"),
        "cluster IP 172.30.0.99 added",
    ),
    "source range": (
        web(FIRST, **BALANCED, source_ranges=(cidr("203.0.113.0/24"),)),
        web(FIRST, **BALANCED, source_ranges=(cidr("203.0.113.0/24"), cidr("198.51.100.0/24"))),
        "load-balancer addresses open to 198.51.100.0/24",
    ),
    "no source ranges": (
        web(FIRST, **BALANCED, source_ranges=(cidr("203.0.113.0/24"),)),
        web(FIRST, **BALANCED),
        "load-balancer addresses open to all sources",
    ),
}


@pytest.mark.parametrize(("before", "after", "sentence"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_in_a_sentence(before: Sequence[Object], after: Sequence[Object], sentence: str) -> None:
    found = words(before, after)
    assert list(found) == [TITLE]
    assert sentence in found[TITLE]


def test_refused_and_no_longer_refused() -> None:
    assert words(web(FIRST), (service(NAME),))[TITLE] == (
        f"endpoint {FIRST}:80 removed, 1 -> 0",
        "no endpoints any more: refused",
    )
    assert words((service(NAME),), web(FIRST))[TITLE][-1] == "endpoints again: no longer refused"


def test_a_change_of_policy_moves_no_endpoints() -> None:
    found = words(web(FIRST, SECOND, **NODE_PORT, external_traffic_local=True), web(FIRST, SECOND, **NODE_PORT))
    assert found[TITLE] == ("externalTrafficPolicy Local -> Cluster",)


def test_many_endpoints_are_counted() -> None:
    before = web(FIRST)
    after = web(FIRST, *(f"10.0.2.{number}" for number in range(1, 8)))
    assert words(before, after)[TITLE] == ("7 endpoints added, 1 -> 8, each now 12.5%",)


def test_services_without_a_change_are_not_told() -> None:
    other = (service("ns2/other", "172.30.0.42"), slice_of("ns2/other", "10.0.9.9"))
    assert list(words((*web(FIRST), *other), (*web(FIRST, SECOND), *other))) == [TITLE]


def test_the_tree_instead_of_the_list_is_one_line_per_service() -> None:
    objects = [
        obj
        for number in range(40)
        for obj in (
            service(f"ns1/s{number}", f"172.30.{number % 4}.{number + 1}"),
            slice_of(f"ns1/s{number}", f"10.0.1.{number + 1}"),
        )
    ]
    explanation = told(compiled(objects, Dispatch.TREE), compiled(objects))
    assert len(explanation.services) == 40
    assert {change.words for change in explanation.services} == {("only its dispatch differs",)}
    assert not any(change.chains for change in explanation.services)


def test_rules_of_others_are_kept_and_told() -> None:
    desired = compiled(web(FIRST))
    live = copy(desired)
    table = live.tables["nat"]
    table.chains["DOCKER"] = ("-A DOCKER -i docker0 -j RETURN",)
    table.chains["PREROUTING"] += ("-A PREROUTING -j DOCKER",)
    kept = {(its.table, its.chain): its.rules for its in told(desired, live).kept}
    assert kept == {
        ("nat", "DOCKER"): ("-A DOCKER -i docker0 -j RETURN",),
        ("nat", "PREROUTING"): ("-A PREROUTING -j DOCKER",),
    }


def test_jumps_that_are_missing_or_out_of_order() -> None:
    desired = compiled(web(FIRST))
    live = copy(desired)
    chains = live.tables["filter"].chains
    chains["FORWARD"] = chains["FORWARD"][::-1]
    chains["OUTPUT"] = ()
    explanation = told(desired, live)
    assert {(insert.table, insert.chain) for insert in explanation.inserts} == {("filter", "OUTPUT")}
    assert ("filter", "FORWARD") in explanation.out_of_order
    assert ("filter", "OUTPUT") not in explanation.out_of_order


def test_nothing_to_do_is_nothing_to_tell() -> None:
    desired = compiled(web(FIRST))
    assert told(desired, copy(desired)) == Explanation()
