"""What happens in the loop, as metrics, health and health checks tell it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from pykubeproxy.daemon.follow.reporting import report
from pykubeproxy.daemon.follow.telemetry import ProgrammingTimes, Telemetry
from pykubeproxy.daemon.follower import FinishedSync
from pykubeproxy.daemon.messages import ForeignChange
from pykubeproxy.daemon.sync.family import RefusedPlan, SyncResult
from pykubeproxy.host.errors import HostError, RestoreError
from pykubeproxy.model.ip import Family
from pykubeproxy.model.node import Node
from pykubeproxy.model.service import Service, ServiceKey, ServiceType
from pykubeproxy.model.snapshot import Object, ObjectId, Snapshot
from pykubeproxy.observe.clock import Timestamp
from pykubeproxy.observe.health import ProxyHealth
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.servers import Addresses, Servers
from pykubeproxy.plan.diff import ChainChange, Plan
from pykubeproxy.rules.service_traffic import HealthCheck
from pykubeproxy.web.messages import Request, Response
from tests.builders import NODE, at, ip, options, service, slice_of, snapshot, traffic_of
from tests.daemon.fakes import Clock, FakeProxy, changed, loop_of
from tests.watched import watch

WEB = ServiceKey("ns", "web")
IPV4, IPV6 = {"ip_family": "IPv4"}, {"ip_family": "IPv6"}
FUTURE = 32503680000.0
REFUSED = RestoreError("iptables-restore", "no")
PLAN = Plan(chains=(ChainChange(table="nat", chain="KUBE-SVC-X", before=None, after=("-A KUBE-SVC-X -j ACCEPT",)),))
DNAT = '-A KUBE-SEP-X -p tcp -m comment --comment "ns/web:http" -m tcp -j DNAT --to-destination 10.0.0.1:80'


class FakeServers(Servers):
    """Keeps the health checks that it is to serve; cannot serve those of `taken` ports."""

    def __init__(self, health: ProxyHealth) -> None:
        super().__init__(
            Addresses(health="", metrics=""),
            health,
            health_pages=_nothing,
            metrics_pages=_nothing,
            on_check_failed=lambda _: None,
        )
        self.served: dict[ServiceKey, HealthCheck] | None = None
        self.addresses: tuple[str, ...] | None = None
        self.taken: set[int] = set()
        self.serves_all = True
        self.calls = 0

    def serve_checks(
        self, family: Family, checks: Mapping[ServiceKey, HealthCheck], addresses: tuple[str, ...] | None
    ) -> None:
        del family
        self.calls += 1
        self.served, self.addresses = dict(checks), addresses
        self.serves_all = not any(check.port in self.taken for check in checks.values())

    def serves_all_checks(self, family: Family) -> bool:
        del family
        return self.serves_all


def _nothing(request: Request) -> Response:
    raise AssertionError(request)


class Told:
    """The telemetry of two families, and what it has told."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.now = 0.0
        self.is_deaf = False
        self.health = ProxyHealth(timeout=60.0, clock=lambda: Timestamp(wall=0, monotonic=self.now))
        self.servers = FakeServers(self.health)
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

    def value(self, name: str, labels: dict[str, str] | None = None) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels or {})

    def proxy_value(self, name: str, labels: dict[str, str] | None = None) -> float | None:
        return self.value(f"kubeproxy_sync_proxy_rules_{name}", labels)


@pytest.fixture
def told() -> Told:
    return Told()


NOTHING_DONE = SyncResult(plan=Plan())


def finished(result: SyncResult | None = NOTHING_DONE, objects: Snapshot | None = None, **fields: Any) -> FinishedSync:
    """A sync of IPv4 that succeeded without doing anything, unless said otherwise."""
    known = objects or Snapshot()
    family = fields.pop("family", Family.IPV4)
    return FinishedSync(
        family=family,
        proxy=FakeProxy(Clock(), family),
        snapshot=known,
        touched=known.services,
        traffic=traffic_of(known, known.services, options(family)),
        seconds=0.1,
        result=result,
        **fields,
    )


def failure(*refusals: RefusedPlan) -> FinishedSync:
    return finished(None, error=REFUSED, refused_plans=refusals)


def test_changes_are_counted_and_pending_until_the_next_sync(told: Told) -> None:
    change = changed(service("ns/web"), slice_of("ns/web", "10.0.0.1"), slice_of("ns/web", "10.0.0.2", part="b")).change
    told.telemetry.objects_changed(change, {WEB})
    told.telemetry.objects_changed(changed(slice_of("ns/other", "10.0.0.3")).change, ())
    told.telemetry.objects_changed(changed(removed=[ObjectId("Service", "ns", "gone")]).change, ())
    assert told.proxy_value("service_changes_total") == 4, "each for both families"
    assert told.proxy_value("endpoint_changes_total") == 3
    assert told.proxy_value("service_changes_pending") == 1
    assert told.proxy_value("endpoint_changes_pending") == 2
    told.telemetry.synced(finished())
    assert told.proxy_value("service_changes_pending") == 0
    assert told.proxy_value("endpoint_changes_pending") == 0


def test_the_time_from_a_change_of_endpoints_to_rules(told: Told) -> None:
    def counted(labels: dict[str, str]) -> float | None:
        return told.value("kubeproxy_network_programming_duration_seconds_count", labels)

    web = ServiceKey("ns", "web")
    for part, when in (("a", FUTURE), ("c", 1.0), ("d", None)):
        told.telemetry.objects_changed(
            changed(slice_of("ns/web", "10.0.0.1", part=part, triggered_at=when)).change, {web}
        )
    told.telemetry.objects_changed(changed(slice_of("ns/web", "10.0.0.1", triggered_at=FUTURE)).change, ())
    told.telemetry.synced(finished())
    assert counted(IPV4) == 1, "not of what happened before the start, or was no change"
    told.telemetry.objects_changed(changed(slice_of("ns/web", "10.0.0.2", triggered_at=FUTURE)).change, {web})
    told.telemetry.synced(failure(RefusedPlan(REFUSED, is_full=True)))
    told.telemetry.synced(finished())
    assert counted(IPV4) == 1, "a sync that fails loses them"
    assert counted(IPV6) is None


def test_a_slice_that_goes_takes_all_times_of_its_service_and_family_along(told: Told) -> None:
    loop = loop_of(Clock(), FakeProxy(Clock()), FakeProxy(Clock(), Family.IPV6))
    loop.follow(told.telemetry)
    for name, part, address in (
        ("ns/web", "a", "10.0.0.1"),
        ("ns/web", "b", "10.0.0.2"),
        ("ns/web", "c", "fd00::1"),
        ("ns/other", "a", "10.0.0.3"),
    ):
        loop.take(changed(slice_of(name, address, part=part, triggered_at=FUTURE)))
    loop.take(changed(removed=[ObjectId("EndpointSlice", "ns", "web-b"), ObjectId("EndpointSlice", "ns", "none")]))
    loop.act()
    counts = [told.value("kubeproxy_network_programming_duration_seconds_count", each) for each in (IPV4, IPV6)]
    assert counts == [1, 1]


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
    told.telemetry.synced(finished(refused_plans=(RefusedPlan(REFUSED, is_full=False),)))
    assert told.proxy_value("iptables_restore_failures_total", IPV4) == 1
    assert told.proxy_value("iptables_partial_restore_failures_total", IPV4) == 1
    told.telemetry.synced(failure(RefusedPlan(REFUSED, is_full=False), RefusedPlan(REFUSED, is_full=True)))
    assert told.proxy_value("iptables_restore_failures_total", IPV4) == 3
    assert told.proxy_value("iptables_partial_restore_failures_total", IPV4) == 2
    told.telemetry.synced(failure())
    assert told.proxy_value("iptables_restore_failures_total", IPV4) == 3, "a read that fails is no refused restore"
    assert told.proxy_value("duration_seconds_count", IPV4) == 3


def test_full_and_partial_syncs(told: Told) -> None:
    told.telemetry.synced(finished(SyncResult(plan=PLAN, was_read=True)))
    told.telemetry.synced(finished(SyncResult(plan=PLAN)))
    told.telemetry.synced(finished(SyncResult(plan=Plan(), is_sectioned=True)))
    assert told.value("kubeproxy_sync_full_proxy_rules_duration_seconds_count", IPV4) == 1
    assert told.value("kubeproxy_sync_partial_proxy_rules_duration_seconds_count", IPV4) == 2
    assert told.value("pykubeproxy_adopted_chains", IPV4 | {"result": "added"}) == 1, "of the first sync only"
    assert told.value("pykubeproxy_sectioned_restores_total", IPV4) == 1


def test_drift_is_counted_by_culprit(told: Told) -> None:
    drifted = SyncResult(plan=PLAN, was_read=True, drifted=(("nat", "KUBE-SVC-X"),))
    told.telemetry.synced(finished(drifted, cause=ForeignChange("firewalld", 7)))
    told.telemetry.synced(finished(drifted))
    told.telemetry.synced(finished(SyncResult(plan=PLAN, was_read=True), cause=ForeignChange("docker", 8)))
    for name in ("detected", "repaired"):
        found = {
            cause: told.value(f"pykubeproxy_drift_{name}_total", IPV4 | {"cause": cause})
            for cause in ("firewalld", "unknown", "docker")
        }
        assert found == {"firewalld": 1, "unknown": 1, "docker": None}


def test_health_follows_the_node_and_requests(told: Told) -> None:
    assert not told.health.is_eligible
    told.telemetry.objects_changed(changed(Node(name="other"), Node(name=NODE)).change, ())
    assert told.health.is_eligible
    told.telemetry.objects_changed(changed(removed=[ObjectId("Node", "", NODE)]).change, ())
    assert told.health.is_eligible, "the last one that was seen counts"
    told.telemetry.started()
    told.telemetry.sync_requested()
    assert told.health.is_healthy
    assert told.proxy_value("last_queued_timestamp_seconds", IPV6)
    told.now += 60
    assert not told.health.is_healthy
    for family in Family:
        told.telemetry.synced(finished(family=family))
    assert told.health.is_healthy


def test_health_checks_are_served_after_a_written_sync(told: Told) -> None:
    objects = snapshot(balanced(), slice_of("ns/web", at("10.0.0.1", NODE), at("10.0.0.2", "other")))
    told.telemetry.synced(finished(objects=objects))
    assert told.servers.served == {WEB: HealthCheck(port=30500, local_endpoints=1)}
    objects.put(balanced(30501))
    told.telemetry.synced(finished(objects=objects))
    assert told.servers.served == {WEB: HealthCheck(port=30501, local_endpoints=1)}


def balanced(port: int = 30500) -> Service:
    return service("ns/web", type=ServiceType.LOAD_BALANCER, external_traffic_local=True, health_check_node_port=port)


def test_health_checks_that_are_served_already_cost_nothing(told: Told) -> None:
    known = snapshot(balanced(), slice_of("ns/web", at("10.0.0.1", NODE)), service("ns/other"))
    told.telemetry.synced(finished(objects=known))
    watch(told.telemetry._checks[Family.IPV4], "_checks")
    watch(told.telemetry._local[Family.IPV4], "_dropped")
    traffic = traffic_of(known, known.put(slice_of("ns/other", "10.0.0.7")))
    again = msgspec.structs.replace(finished(objects=known), touched=traffic.keys(), traffic=traffic)
    told.telemetry.synced(again)
    assert told.servers.calls == 1


def test_health_checks_that_could_not_be_served_are_tried_again(told: Told) -> None:
    told.servers.taken = {30500}
    for calls in (1, 2):
        told.telemetry.synced(finished(objects=snapshot(balanced())))
        assert told.servers.calls == calls
    told.servers.taken.clear()
    for _ in range(2):
        told.telemetry.synced(finished(objects=snapshot(balanced())))
    assert told.servers.calls == 3


def test_health_checks_are_served_where_the_node_says(told: Told) -> None:
    def served_on(*objects: Object, family: Family = Family.IPV4) -> tuple[str, ...] | None:
        told.telemetry.synced(finished(objects=snapshot(*objects), family=family))
        return told.servers.addresses

    told.is_deaf = True
    assert served_on() is None, "all, as long as nothing is known"
    told.is_deaf = False
    assert served_on(Node(name="other", addresses=(ip("192.0.2.7"),))) is None
    its = Node(name=NODE, addresses=(ip("192.0.2.1"), ip("2001:db8::1")))
    assert served_on(its) == ("192.0.2.1",)
    assert served_on(its, family=Family.IPV6) == ("2001:db8::1",)
    moved = Node(name=NODE, addresses=(ip("192.0.2.2"),))
    assert served_on(moved) == ("192.0.2.2",)
    told.is_deaf = True
    with capture_logs() as logs:
        assert served_on(its) == ("192.0.2.2",), "what was known last"
    assert [line["error"] for line in logs if line["log_level"] == "warning"] == ["no netlink"]


def test_a_shadow_tells_what_it_would_do_and_serves_nothing(told: Told) -> None:
    told.telemetry.objects_changed(changed(slice_of("ns/web", "10.0.0.1", triggered_at=FUTURE)).change, {WEB})
    told.telemetry.synced(finished(SyncResult(plan=PLAN, was_read=True, is_written=False)))
    assert told.value("pykubeproxy_pending_chains", IPV4) == 1
    assert told.proxy_value("last_timestamp_seconds", IPV4) is None
    assert told.servers.served is None
    told.telemetry.synced(finished())
    assert told.value("kubeproxy_network_programming_duration_seconds_count", IPV4) is None, "times are not kept"


def test_connections_count_from_the_first_look_even_if_there_was_nothing_to_see(told: Told) -> None:
    labels = IPV4 | {"namespace": "ns", "service": "web", "port": "http", "protocol": "TCP"}
    told.telemetry.synced(finished(SyncResult(plan=PLAN, was_read=True)))
    told.telemetry.synced(finished(SyncResult(plan=Plan(), was_read=True, counters={DNAT: 5})))
    assert told.value("pykubeproxy_service_new_connections_total", labels) == 5
    told.telemetry.synced(finished(SyncResult(plan=Plan())))
    told.telemetry.synced(finished(SyncResult(plan=Plan(), was_read=True, counters={DNAT: 7})))
    assert told.value("pykubeproxy_service_new_connections_total", labels) == 7


@pytest.mark.parametrize(
    ("its", "level", "words"),
    [
        (finished(SyncResult(plan=Plan(), was_read=True)), "info", "in sync"),
        (finished(SyncResult(plan=Plan())), "debug", "in sync"),
        (finished(SyncResult(plan=Plan(), was_read=True), is_routine=True), "debug", "in sync"),
        (finished(SyncResult(plan=PLAN)), "info", "synced"),
        (finished(SyncResult(plan=PLAN, is_written=False)), "info", "would write"),
        (failure(), "error", "sync failed; the rules in force stay"),
        (
            finished(SyncResult(plan=PLAN, drifted=(("nat", "X"),) * 7)),
            "warning",
            "rules were changed by another program",
        ),
    ],
)
def test_the_log_of_a_sync(its: FinishedSync, level: str, words: str) -> None:
    with capture_logs() as logs:
        report(its)
    (line,) = [entry for entry in logs if entry["event"] != "chain"]
    assert line["log_level"] == level
    assert line["event"].startswith(words)
    if its.result is not None and its.result.drifted:
        assert (line["by"], line["chains"]) == ("unknown", "nat X, nat X, nat X, nat X, nat X and 2 more")


@pytest.mark.parametrize(("verbosity", "services"), [(1, []), (2, ["ns/db", "ns/web"])])
def test_each_service_of_a_sync_is_logged_if_asked_for(
    verbosity: int, services: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pykubeproxy.logger._verbosity", verbosity)
    touched = {ServiceKey("ns", "web"), ServiceKey("ns", "db")}
    with capture_logs() as logs:
        report(msgspec.structs.replace(finished(SyncResult(plan=PLAN)), touched=touched))
        report(msgspec.structs.replace(finished(SyncResult(plan=Plan())), touched=touched))
    assert [line["service"] for line in logs if line["event"] == "service"] == services


def test_a_refusal_that_was_overcome_is_logged() -> None:
    with capture_logs() as logs:
        report(finished(SyncResult(plan=PLAN), refused_plans=(RefusedPlan(HostError("line 3"), is_full=False),)))
    assert [(line["log_level"], line.get("error")) for line in logs[:2]] == [("warning", "line 3"), ("info", None)]
