"""Which endpoints are gone for good, and which connections led to them."""

from typing import Any

import pytest
from msgspec.structs import replace

from pykubeproxy.flows.gone import GRACE_SECONDS, GoneEndpoints, ListedEndpoints
from pykubeproxy.model.endpoint import SliceEndpoint
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Service, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Snapshot, identify
from tests.builders import at, ip, options, port, service, slice_of, snapshot, traffic_of
from tests.flows.flows import flow, frontend

ENDING = replace(options(), end_established_tcp=True)
WEB = service(
    "ns/web",
    "10.96.0.10",
    type=ServiceType.LOAD_BALANCER,
    ports=(port(node_port=30080),),
    external_ips=(ip("198.51.100.7"),),
    load_balancer_ips=(ip("203.0.113.9"),),
)
OTHER = service("ns/other", "10.96.0.20")
OLD, NEW = "10.0.0.1", "10.0.0.2"
NODE_ADDRESSES = (ip("192.168.0.2"),)


class Cluster:
    """What Services list; `shows` applies it, with rules in force, and says what is gone by some time."""

    def __init__(self) -> None:
        self.known: Snapshot = snapshot(WEB, OTHER)
        self._listed = ListedEndpoints(Family.IPV4)
        self.lists("ns/web", OLD)
        self.take()

    def lists(self, name: str, *endpoints: SliceEndpoint | str, part: str = "a") -> None:
        self.known.put(slice_of(name, *endpoints, part=part))

    def take(self, now: float = 0.0, *, is_in_force: bool = True) -> None:
        self._listed.update(traffic_of(self.known, [WEB.key, OTHER.key], ENDING))
        if is_in_force:
            self._listed.in_force(now)

    def gone(self, now: float) -> GoneEndpoints:
        return self._listed.take_gone(now).on_node(NODE_ADDRESSES)

    @property
    def next_at(self) -> float | None:
        return self._listed.next_at


@pytest.mark.parametrize(
    ("text", "is_stale"),
    [
        ("10.96.0.10:80 -> 10.0.0.1:80", True),
        ("198.51.100.7:80 -> 10.0.0.1:80", True),
        ("203.0.113.9:80 -> 10.0.0.1:80", True),
        ("192.168.0.2:30080 -> 10.0.0.1:80", True),
        ("10.96.0.10:80 -> 10.0.0.2:80", False),  # an endpoint that is there
        ("10.96.0.10:80 -> 10.0.0.3:80", False),  # redirected by somebody else
        ("10.96.0.10:80 -> 10.0.0.1:81", False),
        ("10.96.0.10:81 -> 10.0.0.1:80", False),
        ("10.96.0.20:80 -> 10.0.0.1:80", False),  # another Service's address
        ("192.0.2.1:30080 -> 10.0.0.1:80", False),  # the port of a node port, on another machine
        ("10.0.0.1:80 -> 10.0.0.1:80", False),  # not by way of a Service
    ],
)
def test_only_connections_that_the_service_led_to_it(text: str, *, is_stale: bool) -> None:
    cluster = Cluster()
    cluster.lists("ns/web", NEW)
    cluster.take()
    assert cluster.gone(GRACE_SECONDS).is_stale(flow(text)) == is_stale


@pytest.mark.parametrize(
    "condition", [{"ready": False}, {"ready": False, "serving": False}, {"ready": False, "terminating": True}]
)
def test_what_is_listed_in_any_condition_is_not_gone(condition: dict[str, Any]) -> None:
    cluster = Cluster()
    cluster.lists("ns/web", at(OLD, **condition), NEW)
    cluster.take()
    assert cluster.gone(100.0).is_empty


def test_it_is_gone_once_and_only_after_some_seconds() -> None:
    cluster = Cluster()
    cluster.lists("ns/web", NEW)
    cluster.take(10.0)
    assert cluster.next_at == 10.0 + GRACE_SECONDS
    assert cluster.gone(9.9 + GRACE_SECONDS).is_empty
    found = cluster.gone(10.0 + GRACE_SECONDS)
    assert found.endpoints[frontend("10.96.0.10:80")] == {frontend(f"{OLD}:80")}
    assert cluster.gone(100.0).is_empty
    assert cluster.next_at is None


def test_an_endpoint_that_moves_to_another_slice_is_not_gone() -> None:
    cluster = Cluster()
    cluster.lists("ns/web", NEW)
    cluster.take()
    cluster.lists("ns/web", OLD, part="b")
    cluster.take(1.0)
    assert cluster.gone(100.0).is_empty


def test_a_pod_that_serves_another_service_is_not_gone() -> None:
    cluster = Cluster()
    cluster.lists("ns/web", NEW)
    cluster.lists("ns/other", OLD)
    cluster.take()
    assert cluster.gone(100.0).is_empty


def test_connections_of_a_deleted_service_are_left_alone() -> None:
    """Its pods may live on, and no rule would lead the client anywhere."""
    cluster = Cluster()
    cluster.lists("ns/web", NEW)
    cluster.take()
    cluster.known.remove(identify(WEB))
    cluster.take(1.0)
    assert cluster.gone(100.0).is_empty


def test_the_time_begins_when_the_rules_are_in_force() -> None:
    """As long as rules lead to it, a client would only be led there again."""
    cluster = Cluster()
    cluster.lists("ns/web", NEW)
    cluster.take(is_in_force=False)
    assert cluster.next_at is None
    assert cluster.gone(100.0).is_empty
    cluster.take(200.0)
    assert not cluster.gone(200.0 + GRACE_SECONDS).is_empty


def test_an_endpoint_that_comes_back_and_goes_is_gone() -> None:
    cluster = Cluster()
    for now, endpoint in enumerate((NEW, OLD, NEW)):
        cluster.lists("ns/web", endpoint)
        cluster.take(float(now))
        assert cluster.gone(float(now)).is_empty
    assert frontend("10.96.0.10:80") in cluster.gone(100.0).endpoints


def test_without_the_option_nothing_is_listed() -> None:
    its: Service = WEB
    traffic = traffic_of(snapshot(its, slice_of("ns/web", OLD)), [ServiceKey("ns", "web")])
    assert traffic[its.key].tcp_ports == ()
