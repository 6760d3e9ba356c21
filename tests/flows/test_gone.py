"""Which endpoints are gone for good, and which connections led to them."""

from typing import Any

import pytest
from msgspec.structs import replace

from pykubeproxy.flows.gone import GRACE_SECONDS, GoneEndpoints, ListedEndpoints
from pykubeproxy.model.endpoint import SliceEndpoint
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import ServiceType
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
    """What Services list. `ns/web` has listed OLD, with rules in force; from second 0 on, NEW in its place."""

    def __init__(self, *later: SliceEndpoint | str) -> None:
        self.known: Snapshot = snapshot(WEB, OTHER)
        self.listed = ListedEndpoints(Family.IPV4)
        self.lists(OLD)
        self.lists(*(later or (NEW,)))

    def lists(
        self, *endpoints: SliceEndpoint | str, at: float = 0.0, name: str = "ns/web", part: str = "a", now: bool = True
    ) -> None:
        """A slice is there; its rules are in force `now`."""
        self.known.put(slice_of(name, *endpoints, part=part))
        self.take(at, now=now)

    def take(self, at: float, *, now: bool = True) -> None:
        self.listed.update(traffic_of(self.known, [WEB.key, OTHER.key], ENDING))
        if now:
            self.listed.in_force(at)

    def gone(self, at: float = 100.0) -> GoneEndpoints:
        return self.listed.take_gone(at).on_node(NODE_ADDRESSES)


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
    assert Cluster().gone(GRACE_SECONDS).is_stale(flow(text)) == is_stale


@pytest.mark.parametrize(
    "condition", [{"ready": False}, {"ready": False, "serving": False}, {"ready": False, "terminating": True}]
)
def test_what_is_listed_in_any_condition_is_not_gone(condition: dict[str, Any]) -> None:
    assert Cluster(at(OLD, **condition), NEW).gone().is_empty


def test_it_is_gone_once_and_only_after_some_seconds() -> None:
    cluster = Cluster()
    assert cluster.listed.next_at == GRACE_SECONDS
    assert cluster.gone(GRACE_SECONDS - 0.1).is_empty
    found = cluster.gone(GRACE_SECONDS)
    assert found.endpoints[frontend("10.96.0.10:80")] == {frontend(f"{OLD}:80")}
    assert found.family is Family.IPV4
    on_any = found.on_node(None)
    assert on_any.is_stale(flow("192.0.2.1:30080 -> 10.0.0.1:80")), "a node port may be on any address"
    assert cluster.gone().is_empty
    assert cluster.listed.next_at is None


@pytest.mark.parametrize("elsewhere", [{"part": "b"}, {"name": "ns/other"}], ids=["another slice", "another Service"])
def test_an_endpoint_that_moves_elsewhere_is_not_gone(elsewhere: dict[str, str]) -> None:
    cluster = Cluster()
    cluster.lists(OLD, at=1.0, **elsewhere)  # type: ignore[arg-type]
    assert cluster.gone().is_empty


def test_connections_of_a_deleted_service_are_left_alone() -> None:
    """Its pods may live on, and no rule would lead the client anywhere."""
    cluster = Cluster()
    cluster.known.remove(identify(WEB))
    cluster.take(1.0)
    assert cluster.gone().is_empty


def test_the_time_begins_when_the_rules_are_in_force() -> None:
    """As long as rules lead to it, a client would only be led there again."""
    cluster = Cluster(OLD)
    cluster.lists(NEW, now=False)
    assert cluster.listed.next_at is None
    assert cluster.gone().is_empty
    cluster.take(200.0)
    assert not cluster.gone(200.0 + GRACE_SECONDS).is_empty


def test_an_endpoint_that_comes_back_and_goes_is_gone() -> None:
    cluster = Cluster()
    for now, endpoint in enumerate((OLD, NEW), 1):
        assert cluster.gone(float(now)).is_empty
        cluster.lists(endpoint, at=float(now))
    assert frontend("10.96.0.10:80") in cluster.gone().endpoints


def test_without_the_option_nothing_is_listed() -> None:
    traffic = traffic_of(snapshot(WEB, slice_of("ns/web", OLD)), [WEB.key])
    assert traffic[WEB.key].tcp_ports == ()
