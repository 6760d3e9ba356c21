"""What is told of Services besides their rules: health checks, and traffic dropped for want of a local endpoint."""

from typing import Any

import pytest

from pykubeproxy.model.endpoint import SliceEndpoint
from pykubeproxy.model.service import Service, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Object, ObjectId, Snapshot
from pykubeproxy.observe.no_local_endpoints import DroppedTraffic
from pykubeproxy.observe.service_health import HealthChecks, health_check_response
from pykubeproxy.rules.service_traffic import Dropped, HealthCheck
from tests.builders import NODE, at, ip, options, port, service, slice_of, slice_port, snapshot, traffic_of

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


def dropped(*objects: Object) -> Dropped:
    counts, known = DroppedTraffic(), snapshot(*objects)
    counts.update(traffic_of(known, known.services))
    return counts.total


INTERNAL: dict[str, Any] = {"internal_traffic_local": True}
EXTERNAL: dict[str, Any] = {"external_traffic_local": True}


@pytest.mark.parametrize(
    ("policies", "endpoints", "expected"),
    [
        (INTERNAL, (LOCAL,), (0, 0)),
        (EXTERNAL, (LOCAL,), (0, 0)),
        (INTERNAL | EXTERNAL, (LOCAL, REMOTE), (0, 0)),
        (INTERNAL, (REMOTE,), (1, 0)),
        (EXTERNAL, (REMOTE,), (0, 1)),
        (INTERNAL | EXTERNAL, (REMOTE,), (1, 1)),
        (INTERNAL | EXTERNAL, (), (0, 0)),
        ({}, (REMOTE,), (0, 0)),
    ],
)
def test_dropped_for_want_of_a_local_endpoint(
    policies: dict[str, Any], endpoints: tuple[SliceEndpoint, ...], expected: tuple[int, int]
) -> None:
    """The seven cases of the upstream test, and one without policies."""
    node_port = service("ns1/lb", type=ServiceType.NODE_PORT, ports=(port(node_port=30000),), **policies)
    assert dropped(node_port, local(*endpoints)) == expected


def test_dropped_counts_ports_and_a_load_balancer_that_has_no_address_yet() -> None:
    """The example of the reference."""
    two = service("ns1/lb", internal_traffic_local=True, ports=(port("a", 80), port("b", 81)))
    assert dropped(two, local(REMOTE, ports=(slice_port("a"), slice_port("b")))) == (2, 0)
    assert dropped(balanced(), local(LOCAL)) == (0, 1)
    assert dropped(balanced(load_balancer_ips=(ip("1.2.3.4"),)), local(LOCAL)) == (0, 0)


def test_dropped_follows_changes_of_objects_and_options() -> None:
    known, counts = Snapshot(), DroppedTraffic()
    clustered = service("ns1/lb", **INTERNAL)
    for obj, expected in ((clustered, 0), (local(REMOTE), 1), (local(REMOTE, LOCAL), 0), (local(REMOTE), 1)):
        counts.update(traffic_of(known, known.put(obj)))
        assert counts.total.internal == expected
    counts.update(traffic_of(known, known.services, options(node_name="elsewhere")))
    assert counts.total == (0, 0)
    counts.update(traffic_of(known, known.services))
    counts.update(traffic_of(known, known.remove(ObjectId("Service", "ns1", "lb"))))
    assert counts.total == (0, 0)
