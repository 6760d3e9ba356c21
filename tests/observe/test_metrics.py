"""What each call changes."""

from collections.abc import Callable

import pytest

from pykubeproxy.config.gates import resolve
from pykubeproxy.model.ip import Family
from pykubeproxy.observe.exposition import expose
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.plan.diff import ChainChange, Plan, RuleInsert
from pykubeproxy.rules.ruleset import Ruleset, Table
from pykubeproxy.rules.service_traffic import Dropped
from pykubeproxy.traffic.connections import Limits

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


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(clock=lambda: NOW)


def shown(metrics: Metrics, prefix: str = "") -> dict[str, float]:
    """Series that are not zero, as they are printed; without buckets."""
    lines = expose(metrics.registry, "")[0].decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(prefix) and not line.startswith("#"))
    return {series: float(value) for series, value in pairs if float(value) and "_bucket" not in series}


@pytest.mark.parametrize(
    ("act", "series"),
    [
        (
            lambda metrics: metrics.service_changed(2, 3),
            {"service_changes_total": 2, "service_changes_pending": 3},
        ),
        (
            lambda metrics: [metrics.slice_changed(is_change=change) for change in (True, False, True)],
            {"endpoint_changes_total": 3, "endpoint_changes_pending": 2},
        ),
        (lambda metrics: metrics.queued(V6), {'last_queued_timestamp_seconds{ip_family="IPv6"}': NOW}),
        (
            lambda metrics: metrics.restore_failed(V4, is_full=True),
            {'iptables_restore_failures_total{ip_family="IPv4"}': 1},
        ),
        (
            lambda metrics: metrics.restore_failed(V4, is_full=False),
            {
                'iptables_restore_failures_total{ip_family="IPv4"}': 1,
                'iptables_partial_restore_failures_total{ip_family="IPv4"}': 1,
            },
        ),
        (
            lambda metrics: metrics.dropped_without_local_endpoints(V4, Dropped(internal=1, external=2)),
            {
                'no_local_endpoints_total{ip_family="IPv4",traffic_policy="internal"}': 1,
                'no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"}': 2,
            },
        ),
        (
            lambda metrics: metrics.sync_failed(V4, seconds=0.5, is_full=False),
            {'duration_seconds_count{ip_family="IPv4"}': 1, 'duration_seconds_sum{ip_family="IPv4"}': 0.5},
        ),
    ],
)
def test_sync_series(metrics: Metrics, act: Callable[[Metrics], None], series: dict[str, float]) -> None:
    act(metrics)
    prefix = "kubeproxy_sync_proxy_rules_"
    assert shown(metrics, prefix) == {prefix + name: value for name, value in series.items()}


def test_a_drain_empties_both(metrics: Metrics) -> None:
    metrics.service_changed(1, 1)
    metrics.slice_changed(is_change=True)
    metrics.drained()
    assert shown(metrics, "kubeproxy_sync_proxy_rules_") == {
        "kubeproxy_sync_proxy_rules_service_changes_total": 1,
        "kubeproxy_sync_proxy_rules_endpoint_changes_total": 1,
    }


def test_a_plan_in_numbers(metrics: Metrics) -> None:
    metrics.planned(V4, PLAN, RULE_COUNTS)
    family = 'ip_family="IPv4"'
    assert shown(metrics, "kubeproxy_sync_proxy_rules_iptables") == {
        f'kubeproxy_sync_proxy_rules_iptables_total{{{family},table="filter"}}': 3,
        f'kubeproxy_sync_proxy_rules_iptables_total{{{family},table="nat"}}': 3,
        f'kubeproxy_sync_proxy_rules_iptables_last{{{family},table="filter"}}': 3,
        f'kubeproxy_sync_proxy_rules_iptables_last{{{family},table="nat"}}': 2,
    }
    assert shown(metrics, "pykubeproxy_") == {
        f"pykubeproxy_plan_chains_count{{{family}}}": 1,
        f"pykubeproxy_plan_chains_sum{{{family}}}": 4,
        f"pykubeproxy_plan_rules_count{{{family}}}": 1,
        f"pykubeproxy_plan_rules_sum{{{family}}}": 6,
        f"pykubeproxy_pending_chains{{{family}}}": 4,
        f"pykubeproxy_pending_rules{{{family}}}": 6,
    }


def test_nothing_is_pending_after_a_sync(metrics: Metrics) -> None:
    metrics.planned(V4, PLAN, RULE_COUNTS)
    metrics.synced(V4, PLAN, seconds=1, is_full=False)
    assert shown(metrics, "pykubeproxy_pending") == {}
    assert shown(metrics, "pykubeproxy_last") == {'pykubeproxy_last_in_sync_timestamp_seconds{ip_family="IPv4"}': NOW}
    stamp = 'kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"}'
    assert shown(metrics, stamp) == {stamp: NOW}


def test_a_look_that_finds_everything_right_is_no_sync(metrics: Metrics) -> None:
    metrics.in_sync(V6)
    assert shown(metrics, "pykubeproxy_") == {'pykubeproxy_last_in_sync_timestamp_seconds{ip_family="IPv6"}': NOW}
    assert shown(metrics, "kubeproxy_") == {}


def test_adoption(metrics: Metrics) -> None:
    metrics.adopted(V4, PLAN, DESIRED)
    assert shown(metrics, "pykubeproxy_adopted_chains") == {
        f'pykubeproxy_adopted_chains{{ip_family="IPv4",result="{result}"}}': number
        for result, number in {"kept": 2, "added": 1, "changed": 2, "removed": 1}.items()
    }


def test_causes_of_drift_are_limited(metrics: Metrics) -> None:
    for number in range(100):
        metrics.drift_detected(V4, f"job-{number}")
    metrics.drift_detected(V4, "job-3")
    series = shown(metrics, "pykubeproxy_drift")
    assert len(series) == 21
    assert series['pykubeproxy_drift_detected_total{cause="_other",ip_family="IPv4"}'] == 80
    assert series['pykubeproxy_drift_detected_total{cause="job-3",ip_family="IPv4"}'] == 2


def test_the_rest(metrics: Metrics) -> None:
    metrics.restored_in_sections(V4)
    metrics.programmed(V4, 0.3)
    metrics.conntrack_reconciled(V4, seconds=0.1, deleted=7)
    metrics.healthz_answered(503)
    metrics.livez_answered(200)
    metrics.api_answered("10.96.0.1:443", "GET", "200")
    metrics.api_request_took("10.96.0.1:443", "GET", 0.2)
    series = shown(metrics)
    assert {name: series[name] for name in series if not name.startswith(("process_", "python_", "kubernetes_"))} == {
        'pykubeproxy_sectioned_restores_total{ip_family="IPv4"}': 1,
        'kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"}': 1,
        'kubeproxy_network_programming_duration_seconds_sum{ip_family="IPv4"}': 0.3,
        'kubeproxy_conntrack_reconciler_sync_duration_seconds_count{ip_family="IPv4"}': 1,
        'kubeproxy_conntrack_reconciler_sync_duration_seconds_sum{ip_family="IPv4"}': 0.1,
        'kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"}': 7,
        'kubeproxy_proxy_healthz_total{code="503"}': 1,
        'kubeproxy_proxy_livez_total{code="200"}': 1,
        'rest_client_requests_total{code="200",host="10.96.0.1:443",method="GET"}': 1,
        'rest_client_request_duration_seconds_count{host="10.96.0.1:443",verb="GET"}': 1,
        'rest_client_request_duration_seconds_sum{host="10.96.0.1:443",verb="GET"}': 0.2,
    }


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
    assert shown(metrics, "pykubeproxy_") == {
        f'pykubeproxy_service_new_connections_total{{{port},service="svc1"}}': 3,
        f'pykubeproxy_endpoint_new_connections_total{{endpoint="10.0.0.1:80",{port},service="svc1"}}': 3,
    }
    metrics.counters_read(V4, {rule(number): 110 for number in (1, 2, 3)}, dict)
    other = 'ip_family="IPv4",namespace="",port="",protocol="",service="_other"'
    assert shown(metrics, "pykubeproxy_") == {
        f'pykubeproxy_service_new_connections_total{{{port},service="svc1"}}': 10,
        f'pykubeproxy_service_new_connections_total{{{port},service="svc2"}}': 10,
        f"pykubeproxy_service_new_connections_total{{{other}}}": 110,
        f'pykubeproxy_endpoint_new_connections_total{{endpoint="10.0.0.1:80",{port},service="svc1"}}': 10,
        f'pykubeproxy_endpoint_new_connections_total{{endpoint="",{other}}}': 120,
    }


def test_connections_that_are_refused() -> None:
    metrics = Metrics()
    refusing = '-A KUBE-SERVICES -p tcp -m comment --comment "ns/svc1:http has no endpoints" -j REJECT'
    metrics.counters_read(V4, {refusing: 100}, dict)
    metrics.counters_read(V4, {refusing: 103}, dict)
    labels = 'ip_family="IPv4",namespace="ns",reason="no_endpoints",service="svc1"'
    assert shown(metrics, "pykubeproxy_") == {f"pykubeproxy_service_refused_connections_total{{{labels}}}": 3}


def test_a_sync_that_rewrites_a_chain_starts_its_counter_anew() -> None:
    metrics = Metrics()
    metrics.counters_read(V4, {rule(1): 100}, dict)
    metrics.synced(
        V4,
        Plan(chains=(ChainChange(table="nat", chain="KUBE-SEP-1", before=(rule(1),), after=(rule(1),)),)),
        seconds=1,
        is_full=False,
    )
    metrics.counters_read(V4, {rule(1): 130}, dict)
    assert sum(shown(metrics, "pykubeproxy_service_new").values()) == 130
