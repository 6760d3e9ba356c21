"""What each call changes, and example F of the reference: the metrics after the first sync of the worked example."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.config.gates import resolve
from pykubeproxy.model.ip import Family
from pykubeproxy.observe.exposition import expose
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.no_local_endpoints import DroppedTraffic
from pykubeproxy.plan.diff import ChainChange, Plan, RuleInsert, diff
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.ruleset import Ruleset, Table
from pykubeproxy.rules.service_traffic import Dropped
from pykubeproxy.traffic.connections import Limits
from tests.builders import options, snapshot

OBJECTS = Path(__file__).parents[1] / "worked" / "first-sync" / "objects.yaml"
V4, V6 = Family.IPV4, Family.IPV6
NOW = 1_795_350_868.0
DESIRED = Ruleset(
    tables={
        "filter": Table(chains={"INPUT": ("a", "b"), "KUBE-FORWARD": ("a", "b", "c")}),
        "nat": Table(chains={"PREROUTING": ("a",), "KUBE-SERVICES": ("a",), "KUBE-SVC-A": ("a", "b")}),
    }
)
RULE_COUNTS = {"filter": 3, "nat": 3}
PLAN = Plan(
    chains=(
        ChainChange(table="filter", chain="KUBE-FORWARD", before=("a",), after=("a", "b", "c")),
        ChainChange(table="nat", chain="KUBE-SVC-A", before=None, after=("a", "b")),
        ChainChange(table="nat", chain="KUBE-SVC-B", before=("x",), after=None),
    ),
    inserts=(RuleInsert(table="nat", chain="PREROUTING", position=1, line="a"),),
)
IPV4 = '{ip_family="IPv4"}'


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(clock=lambda: NOW)


def shown(metrics: Metrics, prefix: str = "") -> dict[str, float]:
    """Series that are not zero, as they are printed; without buckets, and what is known of every process."""
    lines = expose(metrics.registry, "")[0].decode().splitlines()
    given = ("#", "process_", "python_", "kubernetes_build_info")
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(prefix) and not line.startswith(given))
    return {series: float(value) for series, value in pairs if float(value) and "_bucket" not in series}


@pytest.mark.parametrize(
    ("act", "prefix", "series"),
    [
        (
            lambda metrics: metrics.service_changed(2, 3),
            "kubeproxy_sync_proxy_rules_service_changes_",
            {"total": 2, "pending": 3},
        ),
        (
            lambda metrics: [metrics.slice_changed(is_change=change) for change in (True, False, True)],
            "kubeproxy_sync_proxy_rules_endpoint_changes_",
            {"total": 3, "pending": 2},
        ),
        (
            lambda metrics: [metrics.service_changed(1, 1), metrics.slice_changed(is_change=True), metrics.drained()],
            "kubeproxy_sync_proxy_rules_",
            {"service_changes_total": 1, "endpoint_changes_total": 1},
        ),
        (
            lambda metrics: metrics.queued(V6),
            "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
            {'{ip_family="IPv6"}': NOW},
        ),
        (
            lambda metrics: [metrics.restore_failed(V4, is_full=is_full) for is_full in (True, False)],
            "kubeproxy_sync_proxy_rules_iptables_",
            {f"restore_failures_total{IPV4}": 2, f"partial_restore_failures_total{IPV4}": 1},
        ),
        (
            lambda metrics: metrics.dropped_without_local_endpoints(V4, Dropped(internal=1, external=2)),
            'kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",',
            {'traffic_policy="internal"}': 1, 'traffic_policy="external"}': 2},
        ),
        (
            lambda metrics: metrics.sync_failed(V4, seconds=0.5, is_full=False),
            "kubeproxy_sync_",
            {
                f"proxy_rules_duration_seconds_count{IPV4}": 1,
                f"proxy_rules_duration_seconds_sum{IPV4}": 0.5,
                f"partial_proxy_rules_duration_seconds_count{IPV4}": 1,
                f"partial_proxy_rules_duration_seconds_sum{IPV4}": 0.5,
            },
        ),
        (
            lambda metrics: metrics.in_sync(V6),
            "pykubeproxy_last_in_sync_timestamp_seconds",
            {'{ip_family="IPv6"}': NOW},
        ),
        (
            lambda metrics: metrics.connections_tracked(entries=1, limit=2, dropped=3),
            "pykubeproxy_conntrack_",
            {"entries": 1, "entries_limit": 2, "dropped_packets_total": 3},
        ),
        (lambda metrics: metrics.restored_in_sections(V4), f"pykubeproxy_sectioned_restores_total{IPV4}", {"": 1}),
        (
            lambda metrics: metrics.programmed(V4, 0.3),
            "kubeproxy_network_programming_duration_seconds_",
            {f"count{IPV4}": 1, f"sum{IPV4}": 0.3},
        ),
        (
            lambda metrics: metrics.conntrack_reconciled(V4, seconds=0.1, deleted=7),
            "kubeproxy_conntrack_reconciler_",
            {
                f"sync_duration_seconds_count{IPV4}": 1,
                f"sync_duration_seconds_sum{IPV4}": 0.1,
                f"deleted_entries_total{IPV4}": 7,
            },
        ),
        (
            lambda metrics: [metrics.healthz_answered(503), metrics.livez_answered(200)],
            "kubeproxy_proxy_",
            {'healthz_total{code="503"}': 1, 'livez_total{code="200"}': 1},
        ),
        (
            lambda metrics: [metrics.api_answered("h", "GET", "200"), metrics.api_request_took("h", "GET", 0.2)],
            "rest_client_request",
            {
                's_total{code="200",host="h",method="GET"}': 1,
                '_duration_seconds_count{host="h",verb="GET"}': 1,
                '_duration_seconds_sum{host="h",verb="GET"}': 0.2,
            },
        ),
        (
            lambda metrics: metrics.adopted(V4, PLAN, DESIRED),
            'pykubeproxy_adopted_chains{ip_family="IPv4",',
            {'result="kept"}': 2, 'result="added"}': 1, 'result="changed"}': 2, 'result="removed"}': 1},
        ),
    ],
)
def test_each_call_changes_its_series_and_no_other(
    metrics: Metrics, act: Callable[[Metrics], object], prefix: str, series: dict[str, float]
) -> None:
    act(metrics)
    assert shown(metrics) == {prefix + name: value for name, value in series.items()}


def test_a_plan_in_numbers_until_it_is_carried_out(metrics: Metrics) -> None:
    metrics.planned(V4, PLAN, RULE_COUNTS)
    family = 'ip_family="IPv4"'
    assert shown(metrics, "kubeproxy_sync_proxy_rules_iptables") == {
        f'kubeproxy_sync_proxy_rules_iptables_total{{{family},table="filter"}}': 3,
        f'kubeproxy_sync_proxy_rules_iptables_total{{{family},table="nat"}}': 3,
        f'kubeproxy_sync_proxy_rules_iptables_last{{{family},table="filter"}}': 3,
        f'kubeproxy_sync_proxy_rules_iptables_last{{{family},table="nat"}}': 2,
    }
    sizes = {
        f"pykubeproxy_plan_chains_count{IPV4}": 1,
        f"pykubeproxy_plan_chains_sum{IPV4}": 4,
        f"pykubeproxy_plan_rules_count{IPV4}": 1,
        f"pykubeproxy_plan_rules_sum{IPV4}": 6,
    }
    pending = {f"pykubeproxy_pending_chains{IPV4}": 4, f"pykubeproxy_pending_rules{IPV4}": 6}
    assert shown(metrics, "pykubeproxy_") == sizes | pending
    metrics.synced(V4, PLAN, seconds=1, is_full=False)
    assert shown(metrics, "pykubeproxy_") == {**sizes, f"pykubeproxy_last_in_sync_timestamp_seconds{IPV4}": NOW}
    stamp = f"kubeproxy_sync_proxy_rules_last_timestamp_seconds{IPV4}"
    assert shown(metrics, stamp) == {stamp: NOW}


def test_causes_of_drift_are_limited(metrics: Metrics) -> None:
    for number in (*range(100), 3):
        metrics.drift_detected(V4, f"job-{number}")
    series = shown(metrics, "pykubeproxy_drift")
    assert len(series) == 21
    assert series['pykubeproxy_drift_detected_total{cause="_other",ip_family="IPv4"}'] == 80
    assert series['pykubeproxy_drift_detected_total{cause="job-3",ip_family="IPv4"}'] == 2


def test_feature_gates(metrics: Metrics) -> None:
    metrics.uses_gates(resolve({"AllowServiceExternalIPs": False, "NativeHistograms": True}))
    series = shown(metrics, "kubernetes_feature_enabled")
    assert series['kubernetes_feature_enabled{name="NativeHistograms",stage="BETA"}'] == 1
    assert series['kubernetes_feature_enabled{name="MultiCIDRServiceAllocator",stage=""}'] == 1
    assert not any("AllowServiceExternalIPs" in name for name in series)


def rule(number: int) -> str:
    note = f'-m comment --comment "ns/svc{number}:http"'
    return f"-A KUBE-SEP-{number} -p tcp {note} -m tcp -j DNAT --to-destination 10.0.0.{number}:80"


def test_connections() -> None:
    metrics = Metrics(Limits(services=2, endpoints=1))
    metrics.counters_read(V4, {rule(1): 100, rule(2): 100}, dict)
    metrics.counters_read(V4, {rule(1): 103, rule(2): 100}, dict)
    port = 'ip_family="IPv4",namespace="ns",port="http",protocol="TCP"'
    service, endpoint = "pykubeproxy_service_new_connections_total", "pykubeproxy_endpoint_new_connections_total"
    assert shown(metrics) == {
        f'{service}{{{port},service="svc1"}}': 3,
        f'{endpoint}{{endpoint="10.0.0.1:80",{port},service="svc1"}}': 3,
    }
    metrics.counters_read(V4, {rule(number): 110 for number in (1, 2, 3)}, dict)
    other = 'ip_family="IPv4",namespace="",port="",protocol="",service="_other"'
    assert shown(metrics) == {
        f'{service}{{{port},service="svc1"}}': 10,
        f'{service}{{{port},service="svc2"}}': 10,
        f"{service}{{{other}}}": 110,
        f'{endpoint}{{endpoint="10.0.0.1:80",{port},service="svc1"}}': 10,
        f'{endpoint}{{endpoint="",{other}}}': 120,
    }


def test_connections_that_are_refused(metrics: Metrics) -> None:
    refusing = '-A KUBE-SERVICES -p tcp -m comment --comment "ns/svc1:http has no endpoints" -j REJECT'
    metrics.counters_read(V4, {refusing: 100}, dict)
    metrics.counters_read(V4, {refusing: 103}, dict)
    labels = 'ip_family="IPv4",namespace="ns",reason="no_endpoints",service="svc1"'
    assert shown(metrics) == {f"pykubeproxy_service_refused_connections_total{{{labels}}}": 3}


def test_a_sync_that_rewrites_a_chain_starts_its_counter_anew(metrics: Metrics) -> None:
    metrics.counters_read(V4, {rule(1): 100}, dict)
    rewritten = ChainChange(table="nat", chain="KUBE-SEP-1", before=(rule(1),), after=(rule(1),))
    metrics.synced(V4, Plan(chains=(rewritten,)), seconds=1, is_full=False)
    metrics.counters_read(V4, {rule(1): 130}, dict)
    assert sum(shown(metrics, "pykubeproxy_service_new").values()) == 130


# Three less in IPv4's nat than in the reference, which has nfacct and so a rule for each node port on localhost.
FIRST_SYNC = """\
kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="filter"} 11
kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv4",table="nat"} 58
kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv6",table="filter"} 3
kubeproxy_sync_proxy_rules_iptables_last{ip_family="IPv6",table="nat"} 10
kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="filter"} 11
kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv4",table="nat"} 58
kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv6",table="filter"} 3
kubeproxy_sync_proxy_rules_iptables_total{ip_family="IPv6",table="nat"} 10
kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"} 1
kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="internal"} 1
kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv6",traffic_policy="external"} 0
kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv6",traffic_policy="internal"} 0
""".splitlines()


def test_first_sync(metrics: Metrics) -> None:
    cluster = snapshot(*Manifests((str(OBJECTS),)).load().put)
    for family in Family:
        compiler, counts = Compiler(options(family)), DroppedTraffic()
        compiler.update(cluster, cluster.services)
        counts.update(compiler.take_traffic())
        metrics.planned(family, diff(compiler.ruleset, Ruleset(tables={})), compiler.rule_counts)
        metrics.dropped_without_local_endpoints(family, counts.total)
    lines = expose(metrics.registry, "")[0].decode().splitlines()
    prefixes = ("kubeproxy_sync_proxy_rules_iptables_", "kubeproxy_sync_proxy_rules_no_local_")
    assert sorted(line for line in lines if line.startswith(prefixes)) == FIRST_SYNC
