"""New connections per second, from one reading to the next."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykubeproxy.model.endpoint import EndpointSlice
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service, ServiceType
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch, RejectUnused
from pykubeproxy.rules.reading import endpoint_of, read
from pykubeproxy.rules.refusals import RefusalReason, reason_of
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.traffic.connections import ConnectionCounter, Limits, RefusedName
from pykubeproxy.traffic.counters import sends_to_endpoint
from pykubeproxy.traffic.meter import WINDOW, LiveRules, Meter
from pykubeproxy.traffic.rates import Rates, RefusalRate, ServiceRate, next_reading
from tests.builders import options, port, service, slice_of, snapshot

ENDPOINTS = {"a/web": ("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"), "b/db": ("10.0.1.1:80", "10.0.1.2:80")}
ALL = [endpoint for endpoints in ENDPOINTS.values() for endpoint in endpoints]
Packets = Mapping[str, int]
LOCAL_NODE_PORT: dict[str, Any] = {
    "type": ServiceType.NODE_PORT,
    "ports": (port(node_port=30080),),
    "external_traffic_local": True,
}


def rules(**changed: tuple[str, ...]) -> Ruleset:
    """Those of two Services; `changed` has other endpoints, by the Service's name alone."""
    objects: list[Service | EndpointSlice] = []
    for number, (name, endpoints) in enumerate(ENDPOINTS.items()):
        addresses = [endpoint.split(":")[0] for endpoint in changed.get(name.split("/")[1], endpoints)]
        objects += [service(name, f"172.30.0.{number + 1}"), slice_of(name, *addresses)]
    return compile_ruleset(snapshot(*objects), options())


RULES = rules()


def endpoint_rules(ruleset: Ruleset) -> list[str]:
    """The rules that send to endpoints."""
    return [line for lines in ruleset.tables["nat"].chains.values() for line in lines if sends_to_endpoint(line)]


def reading(ruleset: Ruleset, packets: Mapping[str, int]) -> LiveRules:
    """A complete reading, in which endpoints, as `ip:port`, have counted packets since their rules were written."""
    return LiveRules(ruleset, {line: packets.get(endpoint_of(line), 0) for line in endpoint_rules(ruleset)})


def measured(*packets: Packets, seconds: float = 2.0, namespace: str | None = None) -> list[Rates]:
    """What each reading but the first amounts to."""
    meter = Meter(namespace)
    meter.start({Family.IPV4: reading(RULES, packets[0])})
    return [meter.take({Family.IPV4: reading(RULES, each)}, seconds) for each in packets[1:]]


def names(rates: Rates) -> list[str]:
    return [rate.service for rate in rates.services]


def counts(rate: ServiceRate) -> list[tuple[str, int]]:
    return [(each.endpoint, each.connections) for each in rate.endpoints]


def test_rates_and_shares() -> None:
    (rates,) = measured({"10.0.0.1:80": 100}, {"10.0.0.1:80": 101, "10.0.0.2:80": 3, "10.0.1.2:80": 12})
    assert (rates.connections, rates.rate, rates.seconds) == (16, 8.0, 2.0)
    assert (rates.known_services, rates.known_endpoints) == (2, 5)
    db, web = rates.services
    assert (db.service, db.protocol, db.connections, db.rate, db.share) == ("b/db:p80", "TCP", 12, 6.0, 0.75)
    assert counts(web) == [("10.0.0.2:80", 3), ("10.0.0.1:80", 1), ("10.0.0.3:80", 0)]
    assert [each.share for each in web.endpoints] == [0.75, 0.25, 0.0]
    assert {each.expected for each in web.endpoints} == {1 / 3}
    assert [each.rate for each in web.endpoints] == [1.5, 0.5, 0.0]


@pytest.mark.parametrize(("before", "now", "told"), [(1000, 1000, 0), (1000, 4, 4)], ids=["nothing new", "begun anew"])
def test_only_what_is_new_is_told(before: int, now: int, told: int) -> None:
    (rates,) = measured(dict.fromkeys(ALL[:1], before), dict.fromkeys(ALL[:1], now))
    assert (rates.connections, names(rates)) == (told, ["a/web:p80"] if told else [])


def test_the_busy_stay_for_a_while() -> None:
    told = measured({}, *[{"10.0.0.1:80": 2}] * (WINDOW + 1))
    assert names(told[0]) == names(told[WINDOW - 1]) == ["a/web:p80"]
    last = told[WINDOW - 1].services[0]
    assert (last.connections, last.share, {each.share for each in last.endpoints}) == (0, None, {None})
    assert last.history == (1.0, *[0.0] * (WINDOW - 1))
    assert names(told[WINDOW]) == []


@pytest.mark.parametrize(
    ("namespace", "told", "connections", "services", "endpoints"), [("a", ["a/web:p80"], 2, 1, 3), ("c", [], 0, 0, 0)]
)
def test_one_namespace(namespace: str, told: list[str], connections: int, services: int, endpoints: int) -> None:
    (rates,) = measured({}, {"10.0.0.1:80": 2, "10.0.1.1:80": 6}, namespace=namespace)
    assert (names(rates), rates.connections) == (told, connections)
    assert [rate.share for rate in rates.services] == [1.0] * services
    assert (rates.known_services, rates.known_endpoints) == (services, endpoints)


NOBODY, NOT_HERE = RefusalReason.NO_ENDPOINTS, RefusalReason.NO_LOCAL_ENDPOINTS
UNUSED = RefusalReason.UNUSED_PORT


@pytest.mark.parametrize("namespace", [None, "a"])
def test_what_is_refused(namespace: str | None) -> None:
    """One Service without endpoints, and one without local ones at its node port."""
    ruleset = compile_ruleset(
        snapshot(
            service("a/none", "172.30.0.1"),
            service("b/away", "172.30.0.2", **LOCAL_NODE_PORT),
            slice_of("b/away", "10.0.0.1"),
        ),
        options(),
    )
    lines = [line for lines in ruleset.tables["filter"].chains.values() for line in lines]
    ((nobody,), (not_here,)) = ([line for line in lines if reason_of(line) is reason] for reason in (NOBODY, NOT_HERE))
    (served,) = endpoint_rules(ruleset)

    def live(*packets: int) -> dict[Family, LiveRules]:
        return {Family.IPV4: LiveRules(ruleset, dict(zip((nobody, not_here, served), packets, strict=True)))}

    meter = Meter(namespace)
    meter.start(live(100, 5, 7))
    rates = meter.take(live(103, 5, 7), 2.0)
    (none,) = rates.services
    assert (none.service, none.protocol, none.connections, none.endpoints) == ("a/none:p80", "TCP", 0, ())
    assert none.share is None
    assert none.refusals == (RefusalRate(reason=NOBODY, connections=3, rate=1.5, history=(1.5,)),)
    assert (rates.connections, rates.refused, rates.known_services) == (0, 3, 1 if namespace is None else 0)
    *others, none = meter.take(live(103, 9, 8), 1.0).services
    assert none.refusals == (RefusalRate(reason=NOBODY, connections=0, rate=0.0, history=(1.5, 0.0)),)
    assert bool(others) is (namespace is None)
    for away in others:
        assert (away.service, away.connections, away.share, len(away.endpoints)) == ("b/away:p80", 1, 1.0, 1)
        assert away.refusals == (RefusalRate(reason=NOT_HERE, connections=4, rate=4.0, history=(4.0,)),)
    for _ in range(WINDOW):
        last = meter.take(live(103, 9, 8), 1.0)
    assert last.services == ()


def test_what_is_refused_at_unused_ports_counts_with_the_first_port_of_the_service() -> None:
    two = service("a/dns", "172.30.0.3", ports=(port("udp", 53), port("tcp", 54)))
    ruleset = compile_ruleset(
        snapshot(two, service("a/web", "172.30.0.1")),
        options(dispatch=Dispatch.TREE, reject_unused=RejectUnused.CLUSTER_IPS),
    )
    unused = {
        read(line).address: line
        for lines in ruleset.tables["filter"].chains.values()
        for line in lines
        if reason_of(line) is UNUSED
    }
    gone = unused["172.30.0.1"].replace("172.30.0.1", "172.30.0.9")
    counters = {unused["172.30.0.3"]: 3, gone: 5}
    meter, counter = Meter(), ConnectionCounter(Limits())
    meter.start({Family.IPV4: LiveRules(ruleset, {})})
    (dns,) = meter.take({Family.IPV4: LiveRules(ruleset, counters)}, 1.0).services
    assert (dns.service, [(its.reason, its.connections) for its in dns.refusals]) == ("a/dns:tcp", [(UNUSED, 3)])
    for reading in ({}, counters):
        counter.take(reading, dict, ruleset)
    assert counter.counts.refused == {RefusedName("a", "dns", "unused_port"): 3}


def test_endpoints_come_and_go_and_services_too() -> None:
    meter = Meter()
    meter.start({Family.IPV4: reading(RULES, {"10.0.0.1:80": 5})})
    changed = rules(web=("10.0.0.2:80", "10.0.0.9:80"))
    rates = meter.take({Family.IPV4: reading(changed, {"10.0.0.9:80": 3, "10.0.1.1:80": 1})}, 1.0)
    web, _ = rates.services
    assert (names(rates), counts(web)) == (["a/web:p80", "b/db:p80"], [("10.0.0.9:80", 3), ("10.0.0.2:80", 0)])
    assert {each.expected for each in web.endpoints} == {0.5}
    assert names(meter.take({Family.IPV4: reading(rules(db=()), {})}, 1.0)) == ["a/web:p80"]


any_reading = st.dictionaries(st.sampled_from(ALL), st.integers(0, 10_000))


@given(st.lists(any_reading, min_size=2, max_size=5), st.floats(0.1, 100))
def test_rates_are_never_negative_and_shares_make_a_whole(packets: list[Packets], seconds: float) -> None:
    for rates in measured(*packets, seconds=seconds):
        assert rates.connections == sum(each.connections for each in rates.services) >= 0
        if rates.connections:
            assert abs(sum(each.share or 0.0 for each in rates.services) - 1) < 1e-9
        for each in rates.services:
            assert each.connections == sum(endpoint.connections for endpoint in each.endpoints)
            assert all(endpoint.rate >= 0 and endpoint.connections >= 0 for endpoint in each.endpoints)
            assert all(rate >= 0 for endpoint in each.endpoints for rate in endpoint.history)
            if each.connections:
                assert abs(sum(endpoint.share or 0.0 for endpoint in each.endpoints) - 1) < 1e-9
            else:
                assert any(each.history)
        assert [each.connections for each in rates.services] == sorted(
            (each.connections for each in rates.services), reverse=True
        )


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0.1, 3600))
def test_reading_takes_at_most_half_of_the_time(began: float, takes: float, interval: float) -> None:
    again = next_reading(began, began + takes, interval)
    assert again >= began + interval
    assert again - began >= 1.999 * takes
