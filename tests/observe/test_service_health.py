"""Health checks of Services as values: which there are, what they count, what they answer."""

from collections.abc import Callable
from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import PortSpec, Service, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Object, ObjectId, Snapshot
from pykubeproxy.observe.service_health import HealthChecks, health_check_response
from pykubeproxy.rules.service_traffic import HealthCheck
from tests.builders import NODE, at, options, service, slice_of, slice_port, snapshot, traffic_of

LB = ServiceKey("ns1", "lb")


def balanced(**fields: Any) -> Service:
    given: dict[str, Any] = {
        "type": ServiceType.LOAD_BALANCER,
        "external_traffic_local": True,
        "health_check_node_port": 30500,
    }
    return service("ns1/lb", **{**given, **fields})


def checks(*objects: Object, family: Family = Family.IPV4) -> dict[ServiceKey, HealthCheck]:
    made = HealthChecks()
    known = snapshot(*objects)
    made.update(traffic_of(known, known.services, options(family)))
    return made.checks


@pytest.mark.parametrize(
    "other",
    [
        service("ns1/lb", health_check_node_port=30500),
        balanced(type=ServiceType.NODE_PORT),
        balanced(external_traffic_local=False),
        balanced(health_check_node_port=0),
        balanced(has_foreign_proxy=True),
        balanced(cluster_ip="None"),
        balanced(ports=()),
    ],
    ids=["cluster-ip", "node-port", "policy-cluster", "no-port", "foreign-proxy", "headless", "no-ports"],
)
def test_services_without_one(other: Service) -> None:
    assert checks(balanced()) == {LB: HealthCheck(port=30500, local_endpoints=0)}
    assert checks(other) == {}


def test_a_single_stack_service_has_one_in_its_own_family() -> None:
    assert checks(balanced(), family=Family.IPV6) == {}
    assert checks(balanced(cluster_ip="fd00::1"), family=Family.IPV6).keys() == {LB}


@pytest.mark.parametrize(
    ("slices", "count"),
    [
        ([], 0),
        ([slice_of("ns1/lb", at("10.0.0.1", NODE))], 1),
        ([slice_of("ns1/lb", at("10.0.0.1", "elsewhere"))], 0),
        ([slice_of("ns1/lb", at("10.0.0.1"))], 0),
        ([slice_of("ns1/lb", at("10.0.0.1", NODE, ready=False))], 0),
        ([slice_of("ns1/lb", at("10.0.0.1", NODE, ready=False, terminating=True))], 0),
        ([slice_of("ns1/lb", at("10.0.0.1", NODE, serving=False, terminating=True))], 1),
        ([slice_of("ns1/lb", at("10.0.0.1", NODE), at("10.0.0.2", NODE))], 2),
        ([slice_of("ns1/lb", at("10.0.0.1", NODE), ports=(slice_port("a", 80), slice_port("b", 443)))], 1),
        ([slice_of("ns1/lb", at("10.0.0.1", NODE)), slice_of("ns1/lb", at("10.0.0.1", NODE), part="b")], 1),
        ([slice_of("ns1/lb", at("fd00::1", NODE))], 0),
        ([slice_of("ns1/other", at("10.0.0.1", NODE))], 0),
    ],
    ids=[
        "none",
        "local",
        "remote",
        "no-node",
        "not-ready",
        "terminating",
        "ready-though-terminating",
        "two",
        "two-ports",
        "in-two-slices",
        "other-family",
        "of-another-service",
    ],
)
def test_counts_local_ready_addresses(slices: list[Object], count: int) -> None:
    ports = (PortSpec(name="p80", protocol=slice_port().protocol, port=80),)
    assert checks(balanced(ports=ports), *slices)[LB].local_endpoints == count


def test_tells_whether_anything_is_new() -> None:
    known, made = Snapshot(), HealthChecks()
    assert not made.update(traffic_of(known, known.put(slice_of("ns1/lb", at("10.0.0.1", NODE)))))
    assert made.update(traffic_of(known, known.put(balanced())))
    assert not made.update(traffic_of(known, known.services)), "the same again"
    assert made.update(traffic_of(known, known.remove(ObjectId("Service", "ns1", "lb"))))


def test_follows_changes() -> None:
    known, made = Snapshot(), HealthChecks()

    def see(change: Callable[[], frozenset[ServiceKey]]) -> HealthCheck | None:
        made.update(traffic_of(known, change()))
        return made.checks.get(LB)

    assert see(lambda: known.put(slice_of("ns1/lb", at("10.0.0.1", NODE)))) is None
    assert see(lambda: known.put(balanced())) == HealthCheck(port=30500, local_endpoints=1)
    terminating = slice_of("ns1/lb", at("10.0.0.1", NODE, ready=False, terminating=True))
    assert see(lambda: known.put(terminating)) == HealthCheck(port=30500, local_endpoints=0)
    moved = balanced(health_check_node_port=30501)
    assert see(lambda: known.put(moved)) == HealthCheck(port=30501, local_endpoints=0)
    assert see(lambda: known.remove(ObjectId("Service", "ns1", "lb"))) is None


@pytest.mark.parametrize(
    ("local_endpoints", "proxy_is_healthy", "status"),
    [(0, True, 503), (1, True, 200), (18, True, 200), (18, False, 503)],
)
def test_answer(local_endpoints: int, *, proxy_is_healthy: bool, status: int) -> None:
    response = health_check_response(ServiceKey("ns2", "svc2"), local_endpoints, proxy_is_healthy=proxy_is_healthy)
    assert (response.status, response.content_type) == (status, "application/json")
    assert response.headers == (
        ("X-Content-Type-Options", "nosniff"),
        ("X-Load-Balancing-Endpoint-Weight", str(local_endpoints)),
    )
    assert response.body.decode() == (
        '{\n\t"service": {\n\t\t"namespace": "ns2",\n\t\t"name": "svc2"\n\t},\n'
        f'\t"localEndpoints": {local_endpoints},\n'
        f'\t"serviceProxyHealthy": {str(proxy_is_healthy).lower()}\n}}'
    )
