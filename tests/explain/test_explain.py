"""A Plan in words: what a person reads before a take-over."""

from collections.abc import Sequence

import pytest

from pykubeproxy.explain.chain_diff import OrderProblem
from pykubeproxy.explain.changes import (
    OnlyOrderDiffers,
    ServicePortAdded,
    ServicePortRemoved,
)
from pykubeproxy.model.service import Protocol, ServiceType
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.options import Dispatch
from tests.builders import NODE, at, cidr, port, service, slice_of, slice_port
from tests.explain.comparison import (
    BALANCED,
    FIRST,
    NAME,
    NODE_PORT,
    SECOND,
    THIRD,
    TITLE,
    compiled,
    explained,
    web,
    without_endpoints,
    words,
)

RANGES = {"source_ranges": (cidr("203.0.113.0/24"), cidr("10.0.0.0/8"))}
BOTH = "10.0.0.0/8, 203.0.113.0/24"

CHANGES = {
    "endpoint added": (web(FIRST), web(FIRST, SECOND), f"endpoint {SECOND}:80 added, 1 -> 2, each now 50%"),
    "endpoint removed": (
        web(FIRST, SECOND, THIRD),
        web(FIRST, SECOND),
        f"endpoint {THIRD}:80 removed, 3 -> 2, each now 50%",
    ),
    "one replaced": (web(FIRST), web(SECOND), f"endpoint {SECOND}:80 added and endpoint {FIRST}:80 removed, 1 -> 1"),
    "new": ((), web(FIRST, SECOND, THIRD), "new, with 3 endpoints, each 33.3%"),
    "new but empty": ((), (service(NAME),), "new; it has no endpoints: refused"),
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
    "source ranges at first": (
        web(FIRST, **BALANCED),
        web(FIRST, **BALANCED, **RANGES),
        f"load-balancer addresses open only to {BOTH}, no longer to all sources",
    ),
    "source ranges with the address": (
        web(FIRST, type=ServiceType.LOAD_BALANCER),
        web(FIRST, **BALANCED, **RANGES),
        f"load-balancer addresses open only to {BOTH}",
    ),
    "source range less": (
        web(FIRST, **BALANCED, **RANGES),
        web(FIRST, **BALANCED, source_ranges=(cidr("203.0.113.0/24"),)),
        "load-balancer addresses closed to 10.0.0.0/8",
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


def test_source_ranges_that_go_with_their_address_open_nothing() -> None:
    before, after = web(FIRST, **BALANCED, **RANGES), web(FIRST, type=ServiceType.LOAD_BALANCER)
    assert words(before, after)[TITLE] == ("loadbalancer IP 192.0.2.1 removed",)
    assert words(before, without_endpoints(**BALANCED, **RANGES))[TITLE] == (
        f"endpoint {FIRST}:80 removed, 1 -> 0",
        "no endpoints any more: refused",
    )


@pytest.mark.parametrize("dispatch", Dispatch)
def test_another_protocol_takes_no_endpoints_away(dispatch: Dispatch) -> None:
    udp = (
        service(NAME, ports=(port(protocol=Protocol.UDP),)),
        slice_of(NAME, at(FIRST, NODE), at(SECOND, NODE), ports=(slice_port(protocol=Protocol.UDP),)),
    )
    assert words(web(FIRST, SECOND), udp, dispatch)[TITLE] == ("protocol TCP -> UDP",)


def test_a_change_of_policy_moves_no_endpoints() -> None:
    found = words(web(FIRST, SECOND, **NODE_PORT, external_traffic_local=True), web(FIRST, SECOND, **NODE_PORT))
    assert found[TITLE] == ("externalTrafficPolicy Local -> Cluster",)


def test_endpoints_that_come_or_go_do_not_change_session_affinity() -> None:
    one, two = web(FIRST, affinity_seconds=600), web(FIRST, SECOND, affinity_seconds=600)
    assert words(one, two)[TITLE] == (f"endpoint {SECOND}:80 added, 1 -> 2, each now 50%",)
    assert words(two, one)[TITLE] == (f"endpoint {SECOND}:80 removed, 2 -> 1",)
    assert words(one, without_endpoints(affinity_seconds=600))[TITLE] == (
        f"endpoint {FIRST}:80 removed, 1 -> 0",
        "no endpoints any more: refused",
    )


def test_many_endpoints_are_counted() -> None:
    before = web(FIRST)
    after = web(FIRST, *(f"10.0.2.{number}" for number in range(1, 8)))
    assert words(before, after)[TITLE] == ("7 endpoints added, 1 -> 8, each now 12.5%",)


@pytest.mark.parametrize("dispatch", Dispatch)
def test_endpoints_in_groups_are_one_choice(dispatch: Dispatch) -> None:
    many = [f"10.0.2.{number}" for number in range(1, 200)]
    assert words((), web(*many), dispatch)[TITLE] == ("new, with 199 endpoints, each 0.5%",)
    assert words(web(*many), web(*many, FIRST), dispatch)[TITLE] == (
        f"endpoint {FIRST}:80 added, 199 -> 200, each now 0.5%",
    )


def test_services_without_a_change_are_not_explained() -> None:
    other = (service("ns2/other", "172.30.0.42"), slice_of("ns2/other", "10.0.9.9"))
    assert list(words((*web(FIRST), *other), (*web(FIRST, SECOND), *other))) == [TITLE]


def test_rules_of_others_are_kept_and_explained() -> None:
    desired = compiled(web(FIRST))
    live = desired.copy()
    table = live.tables["nat"]
    table.chains["DOCKER"] = ("-A DOCKER -i docker0 -j RETURN",)
    table.chains["PREROUTING"] += ("-A PREROUTING -j DOCKER",)
    kept = {(its.table, its.chain): its.rules for its in explained(desired, live).kept_rules}
    assert kept == {
        ("nat", "DOCKER"): ("-A DOCKER -i docker0 -j RETURN",),
        ("nat", "PREROUTING"): ("-A PREROUTING -j DOCKER",),
    }


def test_the_same_rules_in_another_order_are_explained() -> None:
    desired = compiled(web(FIRST, SECOND))
    live = desired.copy()
    chains = live.tables["nat"].chains
    policy = next(chain for chain in chains if chain.startswith("KUBE-SVC-"))
    chains[policy] = chains[policy][::-1]
    (diff,) = explained(desired, live).service_ports
    assert (diff.service_port, diff.changes) == (TITLE, (OnlyOrderDiffers(),))
    (chain,) = diff.chains
    assert (chain.chain, chain.order) == (policy, OrderProblem.SAME_RULES)
    chains["KUBE-SERVICES"] = chains["KUBE-SERVICES"][1:]
    (diff,) = explained(desired, live).service_ports
    assert diff.changes != (OnlyOrderDiffers(),)


def test_node_ports_before_services_are_told_once_and_not_for_each_service() -> None:
    desired = compiled(web(FIRST))
    live = desired.copy()
    chains = live.tables["nat"].chains
    chains["KUBE-SERVICES"] = chains["KUBE-SERVICES"][::-1]
    explanation = explained(desired, live)
    assert [chain.order for chain in explanation.other_chains] == [OrderProblem.NODE_PORTS_NOT_LAST]
    assert explanation.service_ports == ()
    chains["KUBE-SERVICES"] += ('-A KUBE-SERVICES -m comment --comment "ns2/other:http cluster IP" -j RETURN',)
    explanation = explained(desired, live)
    assert [chain.order for diff in explanation.service_ports for chain in diff.chains] == [None]
    assert [chain.order for chain in explanation.other_chains] != [None]


@pytest.mark.parametrize(
    "rule",
    [
        '-m comment --comment "ns2/other:http has no endpoints" -j REJECT',
        '-d 10.0.0.1/32 -m comment --comment "ns2/other:http cluster IP" -j KUBE-SVC-AAAAAAAAAAAAAAAA',
        '-d 10.0.0.1/32 -p icmp -m comment --comment "ns2/other:http cluster IP" -j RETURN',
        '-d 10.0.0.1/32 -p 132 -m comment --comment "ns2/other:http has no local endpoints" --dport 7 -j DROP',
        '-p tcp -m comment --comment "ns2/other:http cluster IP" -m tcp --dport 80:90',
        '-p tcp -m comment --comment "ns2/other:http',
    ],
)
def test_rules_that_no_proxy_writes_are_explained_by_their_chains_alone(rule: str) -> None:
    desired = compiled(web(FIRST))
    live = desired.copy()
    live.tables["nat"].chains["KUBE-SERVICES"] += (f"-A KUBE-SERVICES {rule}",)
    explanation = explained(desired, live)
    assert [diff.changes for diff in explanation.service_ports] == [()]
    (chain,) = (chain for diff in explanation.service_ports for chain in diff.chains)
    assert chain.removed == (f"-A KUBE-SERVICES {rule}",)


def test_a_service_is_removed_even_if_its_chain_has_to_stay() -> None:
    desired, live = compiled(()), compiled(web(FIRST, SECOND))
    chains = live.tables["nat"].chains
    policy = next(chain for chain in chains if chain.startswith("KUBE-SVC-"))
    rule = f"-A PREROUTING -d 192.0.2.7/32 -j {policy}"
    chains["PREROUTING"] += (rule,)
    explanation = explained(desired, live)
    assert [diff.changes for diff in explanation.service_ports] == [(ServicePortRemoved(2, None),)]
    assert [(stale.chain, stale.used_by) for stale in explanation.stale_chains] == [(policy, (rule,))]


def test_a_service_is_new_even_if_its_chain_had_to_stay() -> None:
    desired, live = compiled(web(FIRST, SECOND)), compiled(())
    policy = next(chain for chain in desired.tables["nat"].chains if chain.startswith("KUBE-SVC-"))
    live.tables["nat"].chains[policy] = ()
    assert [diff.changes for diff in explained(desired, live).service_ports] == [(ServicePortAdded(2, None),)]
