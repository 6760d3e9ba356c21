"""/healthz and /livez as in the reference, times as Go prints them, and what is told of Services besides rules."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from pykubeproxy.model.endpoint import SliceEndpoint
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import Service, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Object, ObjectId, Snapshot
from pykubeproxy.observe.clock import rfc3339
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.service_health import HealthChecks, health_check_response
from pykubeproxy.observe.without_endpoints import WithoutEndpointsCounter
from pykubeproxy.rules.service_traffic import HealthCheck, WithoutEndpoints
from tests.builders import NODE, at, ip, port, service, slice_of, slice_port, snapshot, traffic_of
from tests.observe.client import Ticking

V4, V6 = Family.IPV4, Family.IPV6
UPDATED, QUEUED = ProxyHealth.updated, ProxyHealth.queued
Step = tuple[float, Callable[[ProxyHealth, Family], None], tuple[Family, ...]]


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def health(clock: Ticking) -> ProxyHealth:
    """The health of a proxy on a good node, of which a sync may be due for 60 seconds."""
    health = ProxyHealth(60, clock)
    health.saw_node(Node(name="n1"))
    return health


@pytest.mark.parametrize(
    ("steps", "at", "healthy"),
    [
        ([], 9999, {}),
        ([(0, UPDATED, (V4, V6))], 9999, {"IPv4": True, "IPv6": True}),
        ([(0, UPDATED, (V4, V6)), (10, QUEUED, (V4, V6))], 69.9, {"IPv4": True, "IPv6": True}),
        ([(0, UPDATED, (V4, V6)), (10, QUEUED, (V6,))], 70, {"IPv4": True, "IPv6": False}),
        ([(0, UPDATED, (V4, V6)), (10, QUEUED, (V4,))], 70, {"IPv4": False, "IPv6": True}),
        ([(0, UPDATED, (V4, V6)), (10, QUEUED, (V4, V6))], 70, {"IPv4": False, "IPv6": False}),
        ([(0, UPDATED, (V4,)), (10, QUEUED, (V4,)), (60, QUEUED, (V4,))], 70, {"IPv4": False}),
        ([(0, UPDATED, (V4,)), (10, QUEUED, (V4,)), (69, UPDATED, (V4,)), (69.5, QUEUED, (V4,))], 129, {"IPv4": True}),
        ([(0, QUEUED, (V4,))], 9999, {}),
        ([(0, QUEUED, (V4,)), (5, UPDATED, (V6,))], 9999, {"IPv6": True}),
    ],
    ids=[
        *("nothing", "idle-for-long", "queued-recently", "only-ipv6-late", "only-ipv4-late", "both-late"),
        *("queued-again-does-not-help", "each-queueing-has-its-own-time", "never-started"),
        "other-family-started",
    ],
)
def test_families(health: ProxyHealth, clock: Ticking, steps: list[Step], at: float, healthy: dict[str, bool]) -> None:
    for seconds, act, families in steps:
        clock.seconds = seconds
        for family in families:
            act(health, family)
    clock.seconds = at
    assert health.is_healthy is all(healthy.values())
    for response in (health.livez(), health.healthz()):
        body = json.loads(response.body)
        assert response.status == (200 if all(healthy.values()) else 503)
        assert body["healthy"] is all(healthy.values())
        assert {family: status["healthy"] for family, status in body["status"].items()} == healthy


def test_a_node_that_is_going_away_is_alive_and_not_eligible(health: ProxyHealth) -> None:
    health.saw_node(Node(name="n1", being_deleted=True))
    assert (health.livez().status, health.healthz().status) == (200, 503)
    assert b'"nodeEligible":false,"healthy":true' in health.healthz().body


@pytest.mark.usefixtures("utc")
def test_exact_bodies(health: ProxyHealth, clock: Ticking) -> None:
    assert ProxyHealth(60, clock).healthz().body.decode() == (
        '{"lastUpdated":"0001-01-01T00:00:00Z","currentTime":"2026-11-22T12:34:28Z","nodeEligible":false,'
        '"healthy":true,"status":{}}'
    )
    health.updated(V4)
    clock.seconds = 0.5
    health.updated(V6)
    health.queued(V6)
    clock.seconds = 60.25
    status = (
        '"status":{"IPv4":{"lastUpdated":"2026-11-22T12:34:28Z","healthy":true},'
        '"IPv6":{"lastUpdated":"2026-11-22T12:34:28.5Z","healthy":true}}}'
    )
    response = health.healthz()
    assert response.body.decode() == (
        '{"lastUpdated":"2026-11-22T12:35:28.25Z","currentTime":"2026-11-22T12:35:28.25Z","nodeEligible":true,'
        f'"healthy":true,{status}'
    )
    headers = (("X-Content-Type-Options", "nosniff"),)
    assert (response.content_type, response.headers) == ("application/json", headers)
    clock.seconds = 60.5
    late = status.replace('.5Z","healthy":true', '.5Z","healthy":false')
    assert health.livez().body.decode() == (
        '{"lastUpdated":"2026-11-22T12:34:28.5Z","currentTime":"2026-11-22T12:35:28.5Z",' + f'"healthy":false,{late}'
    )


@pytest.mark.parametrize(
    ("zone", "wall", "text"),
    [
        ("UTC", 1795350874_175445793, "2026-11-22T12:34:34.175445793Z"),
        ("XST-5:30", 1795350868_500000000, "2026-11-22T18:04:28.5+05:30"),
    ],
)
@pytest.mark.usefixtures("utc")
def test_times_with_their_zone(monkeypatch: pytest.MonkeyPatch, zone: str, wall: int, text: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert rfc3339(wall) == text


LB = ServiceKey("ns1", "lb")
LOCAL, REMOTE = at("10.0.1.1", NODE), at("10.0.1.2", "elsewhere")


def balanced(**fields: Any) -> Service:
    given = {"type": ServiceType.LOAD_BALANCER, "external_traffic_local": True, "health_check_node_port": 30500}
    return service("ns1/lb", **{**given, **fields})


def local(*endpoints: SliceEndpoint, **fields: Any) -> Object:
    return slice_of("ns1/lb", *endpoints, **fields)


@pytest.mark.parametrize(
    ("slices", "count"),
    [
        ([], 0),
        ([local(REMOTE)], 0),
        ([local(at("10.0.0.1", NODE, ready=False))], 0),
        ([local(at("10.0.0.1", NODE, ready=False, terminating=True))], 0),
        ([local(at("10.0.0.1", NODE, serving=False, terminating=True))], 1),
        ([local(LOCAL, at("10.0.0.2", NODE))], 2),
        ([local(LOCAL, ports=(slice_port("a", 80), slice_port("b", 443)))], 1),
        ([local(LOCAL), local(LOCAL, part="b")], 1),
        ([local(at("fd00::1", NODE))], 0),
    ],
    ids=["none", "remote", "not ready", "terminating", "ready", "two", "two ports", "in two slices", "other family"],
)
def test_a_health_check_counts_local_ready_addresses(slices: list[Object], count: int) -> None:
    made, known = HealthChecks(), snapshot(balanced(), *slices)
    made.update(traffic_of(known, known.services))
    assert made.checks == {LB: HealthCheck(port=30500, local_endpoints=count)}


def test_health_checks_follow_changes_and_tell_whether_anything_is_new() -> None:
    known, made = Snapshot(), HealthChecks()
    terminating = local(at("10.0.0.1", NODE, ready=False, terminating=True))
    for obj, is_new, check in (
        (local(LOCAL), False, None),
        (balanced(), True, HealthCheck(port=30500, local_endpoints=1)),
        (local(LOCAL, REMOTE), False, HealthCheck(port=30500, local_endpoints=1)),
        (terminating, True, HealthCheck(port=30500, local_endpoints=0)),
        (balanced(health_check_node_port=30501), True, HealthCheck(port=30501, local_endpoints=0)),
        (balanced(external_traffic_local=False), True, None),
        (balanced(), True, HealthCheck(port=30500, local_endpoints=0)),
    ):
        assert made.update(traffic_of(known, known.put(obj))) is is_new
        assert made.checks.get(LB) == check
    known.put(service("ns1/other"))
    assert made.update(traffic_of(known, [*known.remove(ObjectId("Service", "ns1", "lb")), ServiceKey("ns1", "other")]))
    assert made.checks == {}


@pytest.mark.parametrize(
    ("local_endpoints", "proxy_is_healthy", "status"), [(0, True, 503), (18, True, 200), (18, False, 503)]
)
def test_answer_to_a_health_check(local_endpoints: int, *, proxy_is_healthy: bool, status: int) -> None:
    response = health_check_response(ServiceKey("ns2", "svc2"), local_endpoints, proxy_is_healthy=proxy_is_healthy)
    assert (response.status, response.content_type) == (status, "application/json")
    weight = ("X-Load-Balancing-Endpoint-Weight", str(local_endpoints))
    assert response.headers == (("X-Content-Type-Options", "nosniff"), weight)
    assert response.body.decode() == (
        '{\n\t"service": {\n\t\t"namespace": "ns2",\n\t\t"name": "svc2"\n\t},\n'
        f'\t"localEndpoints": {local_endpoints},\n'
        f'\t"serviceProxyHealthy": {str(proxy_is_healthy).lower()}\n}}'
    )


def without_endpoints(*objects: Object) -> WithoutEndpoints:
    counts, known = WithoutEndpointsCounter(), snapshot(*objects)
    counts.update(traffic_of(known, known.services))
    return counts.total


INTERNAL: dict[str, Any] = {"internal_traffic_local": True}
EXTERNAL: dict[str, Any] = {"external_traffic_local": True}


@pytest.mark.parametrize(
    ("policies", "endpoints", "expected"),
    [
        (INTERNAL, (LOCAL,), (0, 0, 0, 0)),
        (EXTERNAL, (LOCAL,), (0, 0, 0, 0)),
        (INTERNAL | EXTERNAL, (LOCAL, REMOTE), (0, 0, 0, 0)),
        (INTERNAL, (REMOTE,), (0, 1, 1, 0)),
        (EXTERNAL, (REMOTE,), (0, 1, 0, 1)),
        (INTERNAL | EXTERNAL, (REMOTE,), (0, 1, 1, 1)),
        (INTERNAL | EXTERNAL, (), (1, 0, 0, 0)),
        ({}, (REMOTE,), (0, 0, 0, 0)),
    ],
)
def test_ports_without_endpoints(
    policies: dict[str, Any], endpoints: tuple[SliceEndpoint, ...], expected: tuple[int, ...]
) -> None:
    """The seven cases of the upstream test, and one without policies."""
    node_port = service("ns1/lb", type=ServiceType.NODE_PORT, ports=(port(node_port=30000),), **policies)
    assert without_endpoints(node_port, local(*endpoints)) == expected


def test_ports_are_counted_each_and_those_of_a_load_balancer_that_has_no_address_yet() -> None:
    """The example of the reference."""
    two = service("ns1/lb", internal_traffic_local=True, ports=(port("a", 80), port("b", 81)))
    assert without_endpoints(two, local(REMOTE, ports=(slice_port("a"), slice_port("b")))) == (0, 2, 2, 0)
    assert without_endpoints(balanced(), local(LOCAL)) == (0, 0, 0, 1)
    assert without_endpoints(balanced(load_balancer_ips=(ip("1.2.3.4"),)), local(LOCAL)) == (0, 0, 0, 0)
