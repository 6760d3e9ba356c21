"""What happens in the loop, as metrics, health, health checks and the log tell it."""

from typing import Any
from unittest.mock import create_autospec

import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.follow.reporting import report
from pykubeproxy.daemon.follow.telemetry import ProgrammingTimes, Telemetry
from pykubeproxy.daemon.follower import FinishedSync
from pykubeproxy.daemon.sync.family import RefusedPlan, SyncResult
from pykubeproxy.host.errors import HostError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import Service, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Object, ObjectId
from pykubeproxy.observe.clock import Timestamp
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.servers import Servers
from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.service_traffic import HealthCheck
from tests.builders import NODE, at, ip, service, slice_of, snapshot, traffic_of
from tests.daemon.fakes import NOTHING_DONE, PLAN, REFUSED, changed, finished

WEB = ServiceKey("ns", "web")
IPV4, IPV6 = {"ip_family": "IPv4"}, {"ip_family": "IPv6"}
FUTURE = 32503680000.0
PROGRAMMED = "kubeproxy_network_programming_duration_seconds_count"
PARTIAL, FULL = RefusedPlan(REFUSED, is_full=False), RefusedPlan(REFUSED, is_full=True)
DNAT = '-A KUBE-SEP-X -p tcp -m comment --comment "ns/web:http" -m tcp -j DNAT --to-destination 10.0.0.1:80'


class Told:
    """The telemetry of two families, and what it has told."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.now = 0.0
        self.is_deaf = False
        self.health = ProxyHealth(timeout=60.0, clock=lambda: Timestamp(wall=0, monotonic=self.now))
        self.servers = create_autospec(Servers, instance=True)
        self.telemetry = Telemetry(
            families=tuple(Family),
            node_name=NODE,
            metrics=self.metrics,
            health=self.health,
            servers=self.servers,
            check_addresses=self.check_addresses,
        )

    def check_addresses(self, node: Node | None, family: Family) -> tuple[str, ...] | None:
        if self.is_deaf:
            raise HostError("no netlink")
        return None if node is None else tuple(ip.text for ip in node.ips if ip.family is family)

    def sync(self, result: SyncResult | None = NOTHING_DONE, *objects: Object, **fields: Any) -> None:
        """A sync in which everything is compiled."""
        known = snapshot(*objects)
        traffic = traffic_of(known, known.services)
        its = finished(result, **{"snapshot": known, "touched": known.services, "traffic": traffic, **fields})
        self.telemetry.synced(its)

    def change(self, *put: Object, removed: tuple[ObjectId, ...] = (), touched: tuple[ServiceKey, ...] = ()) -> None:
        self.telemetry.objects_changed(changed(*put, removed=removed).change, touched)

    def value(self, name: str, labels: dict[str, str] | None = None) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels or {})

    def values(self, *names: str, labels: dict[str, str] | None = None) -> list[float | None]:
        return [self.value(f"kubeproxy_sync_{name}", labels) for name in names]

    @property
    def served(self) -> list[dict[ServiceKey, HealthCheck]]:
        """The health checks that were served, one time after the other."""
        return [dict(call.args[1]) for call in self.servers.serve_checks.call_args_list]


@pytest.fixture
def told() -> Told:
    return Told()


def test_changes_are_counted_and_pending_until_the_next_sync(told: Told) -> None:
    names = [f"proxy_rules_{what}_changes_{how}" for what in ("service", "endpoint") for how in ("total", "pending")]
    web = (service("ns/web"), slice_of("ns/web", "10.0.0.1"), slice_of("ns/web", "10.0.0.2", part="b"))
    told.change(*web, touched=(WEB,))
    told.change(slice_of("ns/other", "10.0.0.3"))
    told.change(removed=(ObjectId("Service", "ns", "gone"),))
    assert told.values(*names) == [4, 1, 3, 2], "Services are counted for both families"
    told.sync()
    assert told.values(*names) == [4, 0, 3, 0]


def test_the_time_from_a_change_of_endpoints_to_rules(told: Told) -> None:
    for part, when in (("a", FUTURE), ("c", 1.0), ("d", None)):
        told.change(slice_of("ns/web", "10.0.0.1", part=part, triggered_at=when), touched=(WEB,))
    told.change(slice_of("ns/web", "10.0.0.1", triggered_at=FUTURE))
    told.sync()
    assert told.value(PROGRAMMED, IPV4) == 1, "not of what happened before the start, or was no change"
    told.change(slice_of("ns/web", "10.0.0.2", triggered_at=FUTURE), touched=(WEB,))
    told.sync(None, refused_plans=(FULL,))
    told.sync()
    assert told.value(PROGRAMMED, IPV4) == 1, "a sync that fails loses them"
    assert told.value(PROGRAMMED, IPV6) is None


def test_what_no_sync_will_take_is_not_remembered() -> None:
    """A node with one family in a cluster with two; and a first sync that is long in coming."""
    times = ProgrammingTimes([Family.IPV4], 0.0)
    for number in range(1000):
        times.changed(slice_of("ns/web", "10.0.0.1", triggered_at=float(number + 1)))
        times.changed(slice_of("ns/web", "fd00::1", part="6", triggered_at=float(number + 1)))
    waiting = {family: sum(map(len, by.values())) for family, by in times._waiting.items()}
    assert waiting == {Family.IPV4: 100}
    assert sorted(times.take(Family.IPV4, 1000.0)) == [float(seconds) for seconds in range(100)], "the newest"
    assert not times.take(Family.IPV4, 1000.0)


def test_refusals_are_counted_by_kind(told: Told) -> None:
    names = [f"proxy_rules_iptables_{kind}restore_failures_total" for kind in ("", "partial_")]
    told.sync(refused_plans=(PARTIAL,))
    assert told.values(*names, labels=IPV4) == [1, 1]
    told.sync(None, refused_plans=(PARTIAL, FULL))
    assert told.values(*names, labels=IPV4) == [3, 2]
    told.sync(None)
    assert told.values(*names, labels=IPV4) == [3, 2], "a read that fails is no refused restore"


def balanced(port: int = 30500) -> Service:
    return service("ns/web", type=ServiceType.LOAD_BALANCER, external_traffic_local=True, health_check_node_port=port)


def test_health_checks_are_served_once_they_change_and_again_while_they_cannot_be(told: Told) -> None:
    endpoints = slice_of("ns/web", at("10.0.0.1", NODE), at("10.0.0.2", "other"))
    told.sync(NOTHING_DONE, balanced(), endpoints)
    told.sync(NOTHING_DONE, balanced(30501), endpoints)
    expected = [{WEB: HealthCheck(port=port, local_endpoints=1)} for port in (30500, 30501)]
    assert told.served == expected
    told.servers.serves_all_checks.return_value = False
    told.sync(NOTHING_DONE, balanced(30501), endpoints)
    assert told.served == [*expected, expected[-1]]
    told.servers.serves_all_checks.return_value = True
    told.sync(NOTHING_DONE, balanced(30501), endpoints)
    assert len(told.served) == 3


def test_health_checks_are_served_where_the_node_says(told: Told) -> None:
    def served_on(*objects: Object, family: Family = Family.IPV4) -> tuple[str, ...] | None:
        told.sync(NOTHING_DONE, *objects, family=family)
        addresses: tuple[str, ...] | None = told.servers.serve_checks.call_args.args[2]
        return addresses

    told.is_deaf = True
    assert served_on() is None, "all, as long as nothing is known"
    told.is_deaf = False
    assert served_on(Node(name="other", addresses=(ip("192.0.2.7"),))) is None
    its = Node(name=NODE, addresses=(ip("192.0.2.1"), ip("2001:db8::1")))
    assert served_on(its, family=Family.IPV6) == ("2001:db8::1",)
    assert served_on(its) == ("192.0.2.1",)
    told.is_deaf = True
    with capture_logs() as logs:
        assert served_on(Node(name=NODE)) == ("192.0.2.1",), "what was known last"
    assert [line["error"] for line in logs if line["log_level"] == "warning"] == ["no netlink"]


WRITTEN = SyncResult(plan=PLAN)


@pytest.mark.parametrize(
    ("its", "lines"),
    [
        (finished(SyncResult(plan=Plan(), was_read=True)), [("info", "in sync")]),
        (finished(), [("debug", "in sync")]),
        (finished(SyncResult(plan=Plan(), was_read=True), is_routine=True), [("debug", "in sync")]),
        (finished(WRITTEN, touched={WEB, ServiceKey("ns", "db")}), [("info", "synced")]),
        (finished(SyncResult(plan=PLAN, is_written=False)), [("info", "would write")]),
        (finished(None), [("error", "sync failed")]),
        (
            finished(SyncResult(plan=PLAN, drifted=(("nat", "X"),))),
            [("warning", "rules were changed by another program")],
        ),
        (finished(WRITTEN, refused_plans=(PARTIAL,)), [("warning", "a change was refused"), ("info", "synced")]),
    ],
)
def test_the_log_of_a_sync(its: FinishedSync, lines: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pykubeproxy.logger._verbosity", 2)
    with capture_logs() as logs:
        report(its)
    told = [line for line in logs if line["event"] not in ("chain", "service")]
    assert [(line["log_level"], line["event"].partition("; ")[0]) for line in told] == lines
    assert [line["service"] for line in logs if line["event"] == "service"] == sorted(map(str, its.touched))
