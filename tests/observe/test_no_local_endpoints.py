"""Services whose policy is Local while this node has no endpoint: the seven cases, and the reference's example."""

from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceType
from pykubeproxy.model.snapshot import Object, ObjectId, Snapshot
from pykubeproxy.observe.no_local_endpoints import DroppedTraffic
from pykubeproxy.rules.service_traffic import Dropped
from tests.builders import NODE, at, ip, options, port, service, slice_of, slice_port, snapshot, traffic_of

LOCAL = at("10.0.1.1", NODE)
REMOTE = at("10.0.1.2", "elsewhere")


def node_port(**fields: Any) -> Object:
    return service("ns1/svc1", type=ServiceType.NODE_PORT, ports=(port(node_port=30000),), **fields)


def counted(*objects: Object) -> Dropped:
    counts = DroppedTraffic()
    known = snapshot(*objects)
    counts.update(traffic_of(known, known.services))
    return counts.total


@pytest.mark.parametrize(
    ("policies", "endpoints", "expected"),
    [
        ({"internal_traffic_local": True}, (LOCAL,), (0, 0)),
        ({"external_traffic_local": True}, (LOCAL,), (0, 0)),
        ({"internal_traffic_local": True, "external_traffic_local": True}, (LOCAL, REMOTE), (0, 0)),
        ({"internal_traffic_local": True}, (REMOTE,), (1, 0)),
        ({"external_traffic_local": True}, (REMOTE,), (0, 1)),
        ({"internal_traffic_local": True, "external_traffic_local": True}, (REMOTE,), (1, 1)),
        ({"internal_traffic_local": True, "external_traffic_local": True}, (), (0, 0)),
        ({}, (REMOTE,), (0, 0)),
    ],
)
def test_case(policies: dict[str, bool], endpoints: tuple[Any, ...], expected: tuple[int, int]) -> None:
    assert counted(node_port(**policies), slice_of("ns1/svc1", *endpoints)) == expected


def test_counts_ports() -> None:
    two = service("ns1/svc1", internal_traffic_local=True, ports=(port("a", 80), port("b", 81)))
    assert counted(two, slice_of("ns1/svc1", REMOTE, ports=(slice_port("a"), slice_port("b")))) == (2, 0)


def test_counts_a_load_balancer_that_has_no_address_yet() -> None:
    waiting = service("ns1/svc1", type=ServiceType.LOAD_BALANCER, external_traffic_local=True)
    assert counted(waiting, slice_of("ns1/svc1", LOCAL)) == (0, 1)
    given = service(
        "ns1/svc1", type=ServiceType.LOAD_BALANCER, external_traffic_local=True, load_balancer_ips=(ip("1.2.3.4"),)
    )
    assert counted(given, slice_of("ns1/svc1", LOCAL)) == (0, 0)


def test_follows_changes() -> None:
    known, counts = Snapshot(), DroppedTraffic()
    steps = (
        (node_port(internal_traffic_local=True), 0),
        (slice_of("ns1/svc1", REMOTE), 1),
        (slice_of("ns1/svc1", REMOTE, LOCAL), 0),
        (slice_of("ns1/svc1", REMOTE), 1),
    )
    for obj, expected in steps:
        counts.update(traffic_of(known, known.put(obj)))
        assert counts.total.internal == expected
    counts.update(traffic_of(known, known.remove(ObjectId("Service", "ns1", "svc1"))))
    assert counts.total.internal == 0


def test_other_options_count_anew() -> None:
    known, counts = snapshot(node_port(internal_traffic_local=True), slice_of("ns1/svc1", REMOTE)), DroppedTraffic()
    counts.update(traffic_of(known, known.services))
    assert counts.total == (1, 0)
    counts.update(traffic_of(known, known.services, options(node_name="elsewhere")))
    assert counts.total == (0, 0)


def test_of_the_other_family() -> None:
    counts = DroppedTraffic()
    known = snapshot(node_port(internal_traffic_local=True), slice_of("ns1/svc1", REMOTE))
    counts.update(traffic_of(known, known.services, options(Family.IPV6)))
    assert counts.total == (0, 0)
