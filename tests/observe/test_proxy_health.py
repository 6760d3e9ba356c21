"""/healthz and /livez: the rows of the reference, and its timeline; and times as Go prints them."""

import json
import time
from collections.abc import Callable

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.observe.clock import rfc3339
from pykubeproxy.observe.health import ProxyHealth
from tests.observe.ticking import Ticking

V4, V6 = Family.IPV4, Family.IPV6
GOOD_NODE = Node(name="n1")
DYING_NODE = Node(name="n1", being_deleted=True)
UPDATED, QUEUED = ProxyHealth.updated, ProxyHealth.queued
Step = tuple[float, Callable[[ProxyHealth, Family], None], tuple[Family, ...]]


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def health(clock: Ticking) -> ProxyHealth:
    """The health of a proxy on a good node, of which a sync may be due for 60 seconds."""
    health = ProxyHealth(60, clock)
    health.saw_node(GOOD_NODE)
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
        ([(0, UPDATED, (V4,)), (10, QUEUED, (V4,)), (80, UPDATED, (V4,))], 80, {"IPv4": True}),
        ([(0, QUEUED, (V4,))], 9999, {}),
        ([(0, QUEUED, (V4,)), (5, UPDATED, (V6,))], 9999, {"IPv6": True}),
    ],
    ids=[
        *("nothing", "idle-for-long", "queued-recently", "only-ipv6-late", "only-ipv4-late", "both-late"),
        *("queued-again-does-not-help", "each-queueing-has-its-own-time", "recovered", "never-started"),
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


def test_timeline_of_the_reference(health: ProxyHealth, clock: Ticking) -> None:
    def statuses(at: float) -> tuple[int, int]:
        clock.seconds = at
        return health.livez().status, health.healthz().status

    for act in (health.updated, health.queued):
        assert statuses(10) == (200, 200)
        act(V4)
        act(V6)
    health.updated(V4)
    assert statuses(69) == (200, 200)
    assert statuses(70) == (503, 503)
    health.updated(V6)
    assert statuses(75) == (200, 200)
    health.saw_node(DYING_NODE)
    assert statuses(80) == (200, 503)
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
        ("UTC", 1795350868_000000001, "2026-11-22T12:34:28.000000001Z"),
        ("XST-5:30", 1795350868_500000000, "2026-11-22T18:04:28.5+05:30"),
        ("XST+8", 1795350868_500000000, "2026-11-22T04:34:28.5-08:00"),
    ],
)
@pytest.mark.usefixtures("utc")
def test_times_with_their_zone(monkeypatch: pytest.MonkeyPatch, zone: str, wall: int, text: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    assert rfc3339(wall) == text
