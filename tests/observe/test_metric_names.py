"""Names, types, labels, buckets and help texts of kube-proxy's metrics, against the reference's table."""

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from pykubeproxy.model.ip import Family
from pykubeproxy.observe.exposition import expose
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.plan.diff import Plan
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.rules.service_traffic import Dropped

V4 = Family.IPV4
DUR = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384]
NET = [0.25, 0.5, *range(1, 60), *range(60, 116, 5), *range(120, 301, 30)]
INVALID = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"
SEP = '-A KUBE-SEP-A -p tcp -m comment --comment "a/b:c" -m tcp -j DNAT --to-destination 10.0.0.1:80'

# Name without `kubeproxy_`, type, labels, help. A histogram's buckets are checked by its name.
REFERENCE = """
sync_proxy_rules_duration_seconds | histogram | ip_family | SyncProxyRules latency in seconds
sync_full_proxy_rules_duration_seconds | histogram | ip_family | SyncProxyRules latency in seconds for full resyncs
sync_partial_proxy_rules_duration_seconds | histogram | ip_family | SyncProxyRules latency in seconds for partial resyncs
sync_proxy_rules_last_timestamp_seconds | gauge | ip_family | The last time proxy rules were successfully synced
sync_proxy_rules_last_queued_timestamp_seconds | gauge | ip_family | The last time a sync of proxy rules was queued
network_programming_duration_seconds | histogram | ip_family | In Cluster Network Programming Latency in seconds
sync_proxy_rules_endpoint_changes_pending | gauge | | Pending proxy rules Endpoint changes
sync_proxy_rules_endpoint_changes_total | counter | | Cumulative proxy rules Endpoint changes
sync_proxy_rules_service_changes_pending | gauge | | Pending proxy rules Service changes
sync_proxy_rules_service_changes_total | counter | | Cumulative proxy rules Service changes
sync_proxy_rules_iptables_total | gauge | ip_family table | Total number of iptables rules owned by kube-proxy
sync_proxy_rules_iptables_last | gauge | ip_family table | Number of iptables rules written by kube-proxy in last sync
sync_proxy_rules_iptables_restore_failures_total | counter | ip_family | Cumulative proxy iptables restore failures
sync_proxy_rules_iptables_partial_restore_failures_total | counter | ip_family | Cumulative proxy iptables partial restore failures
sync_proxy_rules_no_local_endpoints_total | gauge | ip_family traffic_policy | Number of services with a Local traffic policy and no endpoints
iptables_localhost_nodeports_accepted_packets_total | counter | | Number of packets accepted on nodeports of loopback interface
iptables_ct_state_invalid_dropped_packets_total | counter | | packets dropped by iptables to work around conntrack problems
conntrack_reconciler_sync_duration_seconds | histogram | ip_family | ReconcileConntrackFlowsLatency latency in seconds
conntrack_reconciler_deleted_entries_total | counter | ip_family | Cumulative conntrack flows deleted by conntrack reconciler
proxy_healthz_total | counter | code | Cumulative proxy healthz HTTP status
proxy_livez_total | counter | code | Cumulative proxy livez HTTP status
"""  # noqa: E501
ROWS = [[cell.strip() for cell in line.split("|")] for line in REFERENCE.strip().splitlines()]


def use_all(metrics: Metrics) -> None:
    """Make everything happen once, so that every series is there."""
    metrics.service_changed(2, 1)
    metrics.slice_changed(is_change=True)
    metrics.queued(V4)
    metrics.planned(V4, Plan(), {"nat": 0, "filter": 0})
    metrics.synced(V4, Plan(), seconds=0.1, is_full=True)
    metrics.sync_failed(V4, seconds=0.1, is_full=False)
    metrics.restore_failed(V4, is_full=False)
    metrics.restored_in_sections(V4)
    metrics.adopted(V4, Plan(), Ruleset(tables={}))
    metrics.drift_detected(V4, "x")
    metrics.drift_repaired(V4, "x")
    metrics.dropped_without_local_endpoints(V4, Dropped(1, 2))
    metrics.programmed(V4, 1)
    metrics.conntrack_reconciled(V4, seconds=0.1, deleted=0)
    metrics.counters_read(V4, {INVALID: 5, SEP: 0}, dict)
    metrics.connections_tracked(entries=1, limit=2, dropped=3)
    metrics.healthz_answered(200)
    metrics.livez_answered(503)
    metrics.counts_localhost(lambda: 7)
    metrics.api_answered("x", "GET", "200")
    metrics.api_request_took("x", "GET", 1)


def exposed(metrics: Metrics) -> dict[str, Metric]:
    """The families as a scraper sees them. Their names are those of the TYPE lines."""
    text = expose(metrics.registry, "")[0].decode()
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    return dict(zip(types, text_string_to_metric_families(text), strict=True))


@pytest.fixture(scope="module")
def families() -> dict[str, Metric]:
    metrics = Metrics()
    assert {name for name in exposed(metrics) if "kubeproxy_" in name} == {
        f"kubeproxy_sync_proxy_rules_{what}_changes_{kind}"
        for what in ("endpoint", "service")
        for kind in ("pending", "total")
    }, "at first only series without labels are there"
    use_all(metrics)
    return exposed(metrics)


@pytest.mark.parametrize(("name", "kind", "labels", "text"), ROWS, ids=[row[0] for row in ROWS])
def test_row(families: dict[str, Metric], name: str, kind: str, labels: str, text: str) -> None:
    family = families[f"kubeproxy_{name}"]
    assert (family.type, family.documentation) == (kind, f"[ALPHA] {text}")
    assert {tuple(sorted(sample.labels.keys() - {"le"})) for sample in family.samples} == {tuple(labels.split())}
    if kind == "histogram":
        bounds = [sample.labels["le"] for sample in family.samples if sample.name.endswith("_bucket")]
        buckets = NET if name.startswith("network_") else DUR
        # As Go prints them: no `.0`.
        assert bounds == [*(f"{bound:g}" for bound in buckets), "+Inf"]


def test_there_is_nothing_else_under_that_name_or_beside(families: dict[str, Metric]) -> None:
    named = {name.removeprefix("kubeproxy_") for name in families if name.startswith("kubeproxy_")}
    assert named == {row[0] for row in ROWS}
    assert {name for name in families if not name.startswith(("kubeproxy_", "pykubeproxy_"))} == {
        *("kubernetes_build_info", "python_info", "process_cpu_seconds_total", "process_max_fds", "process_open_fds"),
        *("process_resident_memory_bytes", "process_start_time_seconds", "process_virtual_memory_bytes"),
        *("rest_client_requests_total", "rest_client_request_duration_seconds"),
    }


def test_build_info(families: dict[str, Metric]) -> None:
    (sample,) = families["kubernetes_build_info"].samples
    git, others = {"git_version", "git_commit", "git_tree_state"}, {"build_date", "go_version", "compiler", "platform"}
    assert sample.labels.keys() == {"major", "minor"} | git | others
    assert (sample.value, sample.labels["major"], sample.labels["minor"]) == (1, "1", "37")
    assert sample.labels["git_version"].startswith("v1.37.0+pykubeproxy.")
