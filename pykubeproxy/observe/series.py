"""The time series: names, labels, buckets and help texts, which dashboards and alerts rely on.

Source: `docs/reference/health-and-metrics.md` section 6 for kube-proxy's own; ours begin with `pykubeproxy_`. A series
with labels appears when something is first counted in it.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DURATIONS = tuple(0.001 * 2**exponent for exponent in range(15))
# From the change of an endpoint to the rule: what matters is seconds at first, minutes later.
_PROGRAMMING = (0.25, 0.5, *range(1, 60), *range(60, 120, 5), *range(120, 301, 30))
_API_LATENCIES = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
_SIZES = (0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
_FAMILY = "ip_family"
_KUBE_PROXY = "kubeproxy_"
_OWN = "pykubeproxy_"
# How Kubernetes says that a metric may still change; part of the help text.
_ALPHA = "[ALPHA] "


class SyncSeries:
    """kube-proxy's series about syncs: how long they take, the changes that wait for one, and the rules that it writes.

    Both families share the series about changes.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        make = _Maker(registry, _KUBE_PROXY, _ALPHA)
        latency = "SyncProxyRules latency in seconds"
        self.seconds = make.histogram("sync_proxy_rules_duration_seconds", latency, _DURATIONS, _FAMILY)
        self.full_seconds = make.histogram(
            "sync_full_proxy_rules_duration_seconds", f"{latency} for full resyncs", _DURATIONS, _FAMILY
        )
        self.partial_seconds = make.histogram(
            "sync_partial_proxy_rules_duration_seconds", f"{latency} for partial resyncs", _DURATIONS, _FAMILY
        )
        latency = "In Cluster Network Programming Latency in seconds"
        self.programming_seconds = make.histogram(
            "network_programming_duration_seconds", latency, _PROGRAMMING, _FAMILY
        )
        make = _Maker(registry, f"{_KUBE_PROXY}sync_proxy_rules_", _ALPHA)
        self.last = make.gauge("last_timestamp_seconds", "The last time proxy rules were successfully synced", _FAMILY)
        self.last_queued = make.gauge(
            "last_queued_timestamp_seconds", "The last time a sync of proxy rules was queued", _FAMILY
        )
        self.endpoints_pending = make.gauge("endpoint_changes_pending", "Pending proxy rules Endpoint changes")
        self.endpoints = make.counter("endpoint_changes_total", "Cumulative proxy rules Endpoint changes")
        self.services_pending = make.gauge("service_changes_pending", "Pending proxy rules Service changes")
        self.services = make.counter("service_changes_total", "Cumulative proxy rules Service changes")
        self.rules = make.gauge(
            "iptables_total", "Total number of iptables rules owned by kube-proxy", "table", _FAMILY
        )
        self.rules_written = make.gauge(
            "iptables_last", "Number of iptables rules written by kube-proxy in last sync", "table", _FAMILY
        )
        self.restore_failures = make.counter(
            "iptables_restore_failures_total", "Cumulative proxy iptables restore failures", _FAMILY
        )
        self.partial_restore_failures = make.counter(
            "iptables_partial_restore_failures_total", "Cumulative proxy iptables partial restore failures", _FAMILY
        )
        text = "Number of services with a Local traffic policy and no endpoints"
        self.no_local_endpoints = make.gauge("no_local_endpoints_total", text, "traffic_policy", _FAMILY)


class ServerSeries:
    """kube-proxy's series about everything else: conntrack entries, its health server, requests to the API server."""

    def __init__(self, registry: CollectorRegistry) -> None:
        make = _Maker(registry, f"{_KUBE_PROXY}conntrack_reconciler_", _ALPHA)
        self.conntrack_seconds = make.histogram(
            "sync_duration_seconds", "ReconcileConntrackFlowsLatency latency in seconds", _DURATIONS, _FAMILY
        )
        self.conntrack_deleted = make.counter(
            "deleted_entries_total", "Cumulative conntrack flows deleted by conntrack reconciler", _FAMILY
        )
        make = _Maker(registry, f"{_KUBE_PROXY}proxy_", _ALPHA)
        self.healthz = make.counter("healthz_total", "Cumulative proxy healthz HTTP status", "code")
        self.livez = make.counter("livez_total", "Cumulative proxy livez HTTP status", "code")
        make = _Maker(registry, "rest_client_", _ALPHA)
        text = "Number of HTTP requests, partitioned by status code, method, and host."
        self.api_requests = make.counter("requests_total", text, "code", "host", "method")
        text = "Request latency in seconds. Broken down by verb, and host."
        self.api_seconds = make.histogram("request_duration_seconds", text, _API_LATENCIES, "host", "verb")


class OwnSeries:
    """This program's own series: changes that others made, how far the kernel is from what it should hold, Plans."""

    def __init__(self, registry: CollectorRegistry) -> None:
        make = _Maker(registry, _OWN)
        by = "by the program that made them"
        self.drift_detected = make.counter(
            "drift_detected_total", f"Changes to the proxy's rules that were noticed, {by}", _FAMILY, "cause"
        )
        self.drift_repaired = make.counter(
            "drift_repaired_total", f"Changes to the proxy's rules that were undone, {by}", _FAMILY, "cause"
        )
        self.last_in_sync = make.gauge(
            "last_in_sync_timestamp_seconds",
            "The last time the rules in the kernel were as they should be, written or found so",
            _FAMILY,
        )
        self.plan_chains = make.histogram(
            "plan_chains", "Chains that a sync adds, changes or removes, of those that do anything", _SIZES, _FAMILY
        )
        self.plan_rules = make.histogram(
            "plan_rules", "Rules that a sync adds or removes, of those that do anything", _SIZES, _FAMILY
        )
        self.pending_chains = make.gauge(
            "pending_chains", "Chains that are not yet as they should be; in shadow mode, would change", _FAMILY
        )
        self.pending_rules = make.gauge(
            "pending_rules", "Rules yet to be added or removed; in shadow mode, would be", _FAMILY
        )
        self.adopted = make.gauge(
            "adopted_chains",
            "Chains at the first sync, by result: kept as found, added, changed or removed",
            _FAMILY,
            "result",
        )
        self.refused_services = make.gauge(
            "refused_services", "Services whose rules the node refuses, and that stay as they were before", _FAMILY
        )
        self.sectioned = make.counter(
            "sectioned_restores_total", "Syncs so large that they were committed in sections", _FAMILY
        )


class _Maker:
    def __init__(self, registry: CollectorRegistry, prefix: str, level: str = "") -> None:
        self._registry = registry
        self._prefix = prefix
        self._level = level

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(self._prefix + name, self._level + text, labels, registry=self._registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(self._prefix + name, self._level + text, labels, registry=self._registry)

    def histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(self._prefix + name, self._level + text, labels, buckets=buckets, registry=self._registry)
