"""/healthz and /livez: the rows of the reference, and its timeline."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.observe.health import ProxyHealth
from tests.observe.ticking import Ticking

V4, V6 = Family.IPV4, Family.IPV6
GOOD_NODE = Node(name="n1")
DYING_NODE = Node(name="n1", being_deleted=True)

Act = Callable[[ProxyHealth], None]


def after(*steps: tuple[float, Act], timeout: float = 60.0) -> tuple[ProxyHealth, Ticking]:
    """The health of a proxy on a good node, to which things have happened at certain times."""
    clock = Ticking()
    health = ProxyHealth(timeout, clock)
    health.saw_node(GOOD_NODE)
    for seconds, act in steps:
        clock.seconds = seconds
        act(health)
    return health, clock


def updated(*families: Family) -> Act:
    def act(health: ProxyHealth) -> None:
        for family in families:
            health.updated(family)

    return act


def queued(*families: Family) -> Act:
    def act(health: ProxyHealth) -> None:
        for family in families:
            health.queued(family)

    return act


@pytest.mark.parametrize(
    ("steps", "at", "healthy"),
    [
        ([], 0, {}),
        ([], 9999, {}),
        ([(0, updated(V4, V6))], 9999, {"IPv4": True, "IPv6": True}),
        ([(0, updated(V4, V6)), (10, queued(V4, V6))], 69.9, {"IPv4": True, "IPv6": True}),
        ([(0, updated(V4, V6)), (10, queued(V6))], 70, {"IPv4": True, "IPv6": False}),
        ([(0, updated(V4, V6)), (10, queued(V4))], 70, {"IPv4": False, "IPv6": True}),
        ([(0, updated(V4, V6)), (10, queued(V4, V6))], 70, {"IPv4": False, "IPv6": False}),
        ([(0, updated(V4)), (10, queued(V4)), (60, queued(V4))], 70, {"IPv4": False}),
        ([(0, updated(V4)), (10, queued(V4)), (69, updated(V4)), (69.5, queued(V4))], 129, {"IPv4": True}),
        ([(0, updated(V4)), (10, queued(V4)), (80, updated(V4))], 80, {"IPv4": True}),
        ([(0, queued(V4))], 9999, {}),
        ([(0, queued(V4)), (5, updated(V6))], 9999, {"IPv6": True}),
    ],
    ids=[
        "nothing-yet",
        "nothing-for-long",
        "idle-for-long",
        "queued-recently",
        "only-ipv6-late",
        "only-ipv4-late",
        "both-late",
        "queued-again-does-not-help",
        "each-queueing-has-its-own-time",
        "recovered",
        "never-started",
        "other-family-started",
    ],
)
def test_families(steps: list[tuple[float, Act]], at: float, healthy: dict[str, bool]) -> None:
    health, clock = after(*steps)
    clock.seconds = at
    assert health.is_healthy is all(healthy.values())
    for response in (health.livez(), health.healthz()):
        body = json.loads(response.body)
        assert response.status == (200 if all(healthy.values()) else 503)
        assert body["healthy"] is all(healthy.values())
        assert {family: status["healthy"] for family, status in body["status"].items()} == healthy


def test_timeline_of_the_reference() -> None:
    clock = Ticking()
    health = ProxyHealth(60, clock)
    health.saw_node(GOOD_NODE)

    def statuses(at: float) -> tuple[int, int]:
        clock.seconds = at
        return health.livez().status, health.healthz().status

    updated(V4, V6)(health)
    assert statuses(10) == (200, 200)
    queued(V4, V6)(health)
    health.updated(V4)
    assert statuses(69) == (200, 200)
    assert statuses(70) == (503, 503)
    assert statuses(75) == (503, 503)
    health.updated(V6)
    assert statuses(75) == (200, 200)
    health.saw_node(DYING_NODE)
    assert statuses(80) == (200, 503)
    assert b'"nodeEligible":false,"healthy":true' in health.healthz().body


@pytest.mark.parametrize(
    ("node", "status"), [(None, 503), (GOOD_NODE, 200), (DYING_NODE, 503)], ids=["never-seen", "good", "being-deleted"]
)
def test_node(node: Node | None, status: int) -> None:
    health = ProxyHealth(60, Ticking())
    if node is not None:
        health.saw_node(node)
    assert health.healthz().status == status
    assert json.loads(health.healthz().body)["nodeEligible"] is (status == 200)
    assert json.loads(health.healthz().body)["healthy"] is True
    assert health.livez().status == 200
    assert b"nodeEligible" not in health.livez().body


@pytest.mark.usefixtures("utc")
def test_exact_bodies() -> None:
    health, clock = after((0, updated(V4)), (0.5, updated(V6)), (1, queued(V6)))
    clock.seconds = 60.25
    status: dict[str, Any] = {
        "IPv4": {"lastUpdated": "2026-11-22T12:34:28Z", "healthy": True},
        "IPv6": {"lastUpdated": "2026-11-22T12:34:28.5Z", "healthy": True},
    }
    now = "2026-11-22T12:35:28.25Z"
    good = {"lastUpdated": now, "currentTime": now, "nodeEligible": True, "healthy": True, "status": status}
    response = health.healthz()
    assert response.body.decode() == json.dumps(good, separators=(",", ":"))
    assert (response.content_type, response.headers) == (
        "application/json",
        (("X-Content-Type-Options", "nosniff"),),
    )
    clock.seconds = 61
    status["IPv6"]["healthy"] = False
    late = {"lastUpdated": "2026-11-22T12:34:28.5Z", "currentTime": "2026-11-22T12:35:29Z", "healthy": False}
    assert health.livez().body.decode() == json.dumps({**late, "status": status}, separators=(",", ":"))


@pytest.mark.usefixtures("utc")
def test_body_before_anything() -> None:
    health = ProxyHealth(60, Ticking())
    assert health.healthz().body.decode() == (
        '{"lastUpdated":"0001-01-01T00:00:00Z","currentTime":"2026-11-22T12:34:28Z","nodeEligible":false,'
        '"healthy":true,"status":{}}'
    )
