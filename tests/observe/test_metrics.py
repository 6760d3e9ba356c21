"""Metrics: their names, types, labels, buckets and help texts as the reference has them, and what each call changes."""

from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from pykubeproxy.config.gates import resolve
from pykubeproxy.model.ip import Family
from pykubeproxy.observe.exposition import expose
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.plan.diff import ChainChange, Plan, RuleInsert
from pykubeproxy.rules.ruleset import Ruleset, Table
from pykubeproxy.rules.service_traffic import WithoutEndpoints

V4, V6 = Family.IPV4, Family.IPV6
DOCUMENT = (Path(__file__).parents[2] / "docs/reference/health-and-metrics.md").read_text()
# Name without `kubeproxy_`, type and buckets, labels, help.
ROWS = [
    [cell.strip() for cell in line.split("|")[1:5]]
    for line in DOCUMENT.partition("| name (prefix `kubeproxy_`)")[2].partition("\n\n")[0].splitlines()[2:]
]
DUR = [0.001 * 2**exponent for exponent in range(15)]
NET = [0.25, 0.5, *range(1, 60), *range(60, 116, 5), *range(120, 301, 30)]
BUCKETS = {"histogram DUR": DUR, "histogram NET": NET}
# The series after `use_all`, without buckets.
USED = (Path(__file__).parent / "data/used.txt").read_text()

NOW = 1_795_350_868.0
INVALID = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"
DESIRED = Ruleset(
    tables={
        "filter": Table(chains={"INPUT": ("a", "b"), "KUBE-FORWARD": ("a", "b", "c")}),
        "nat": Table(chains={"PREROUTING": ("a",), "KUBE-SERVICES": ("a",), "KUBE-SVC-A": ("a", "b")}),
    }
)
PLAN = Plan(
    chains=(
        ChainChange(table="filter", chain="KUBE-FORWARD", before=("a",), after=("a", "b", "c")),
        ChainChange(table="nat", chain="KUBE-SVC-A", before=None, after=("a", "b")),
        ChainChange(table="nat", chain="KUBE-SVC-B", before=("x",), after=None),
    ),
    inserts=(RuleInsert(table="nat", chain="PREROUTING", position=1, line="a"),),
)


def rule(number: int) -> str:
    note = f'-m comment --comment "ns/svc{number}:http"'
    return f"-A KUBE-SEP-{number} -p tcp {note} -m tcp -j DNAT --to-destination 10.0.0.{number}:80"


REFUSING = '-A KUBE-SERVICES -p tcp -m comment --comment "ns/svc1:http has no endpoints" -j REJECT'


def use_all(metrics: Metrics) -> None:
    """Make everything happen, so that every series is there, and none with the value of another of its name."""
    metrics.service_changed(1, 1)
    metrics.slice_changed(is_change=True)
    metrics.drained()
    metrics.service_changed(2, 4)
    for is_change in (True, False, True, True):
        metrics.slice_changed(is_change=is_change)
    metrics.queued(V6)
    metrics.planned(V4, PLAN, {"filter": 3, "nat": 4})
    metrics.synced(V4, PLAN, seconds=1, is_full=True)
    for seconds in (0.5, 0.25):
        metrics.sync_failed(V4, seconds=seconds, is_full=False)
    metrics.in_sync(V6)
    metrics.planned(V6, PLAN, {"filter": 3, "nat": 5})
    metrics.restore_failed(V4, is_full=True)
    metrics.restore_failed(V4, is_full=False)
    metrics.restored_in_sections(V4)
    metrics.adopted(V4, PLAN, DESIRED)
    metrics.drift_detected(V4, "x")
    metrics.drift_repaired(V4, "y")
    metrics.dropped_without_local_endpoints(V4, WithoutEndpoints(internal=1, external=2))
    metrics.programmed(V4, 0.3)
    metrics.conntrack_reconciled(V4, seconds=0.1, deleted=7)
    metrics.counters_read(V4, {INVALID: 5, rule(1): 100, REFUSING: 100}, dict, Ruleset())
    metrics.counters_read(V4, {INVALID: 8, rule(1): 103, REFUSING: 104}, dict, Ruleset())
    metrics.connections_tracked(entries=1, limit=2, dropped=3)
    metrics.healthz_answered(503)
    metrics.livez_answered(200)
    metrics.counts_localhost(lambda: 7)
    metrics.api_answered("h", "GET", "200")
    metrics.api_request_took("h", "GET", 0.2)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(clock=lambda: NOW)


def lines_of(metrics: Metrics, prefix: str = "") -> list[str]:
    """The series as they are printed; without buckets, and what is known of every process."""
    given = ("#", "process_", "python_", "kubernetes_build_info")
    lines = expose(metrics.registry, "")[0].decode().splitlines()
    return [line for line in lines if line.startswith(prefix) and not line.startswith(given) and "_bucket{" not in line]


def exposed(metrics: Metrics) -> dict[str, Metric]:
    """The families as a scraper sees them. Their names are those of the TYPE lines."""
    text = expose(metrics.registry, "")[0].decode()
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    return dict(zip(types, text_string_to_metric_families(text), strict=True))


@pytest.fixture(scope="module")
def families() -> dict[str, Metric]:
    used = Metrics()
    use_all(used)
    return exposed(used)


@pytest.mark.parametrize(("name", "kind", "labels", "text"), ROWS, ids=[row[0] for row in ROWS])
def test_row_of_the_reference(families: dict[str, Metric], name: str, kind: str, labels: str, text: str) -> None:
    family = families[f"kubeproxy_{name}"]
    assert (family.type, family.documentation) == (kind.partition(" ")[0], f"[ALPHA] {text}")
    expected = set(labels.strip("-").replace(",", "").split())
    assert all(sample.labels.keys() - {"le"} == expected for sample in family.samples)
    bounds = [sample.labels["le"] for sample in family.samples if sample.name.endswith("_bucket")]
    # As Go prints them: no `.0`.
    wanted = [*(f"{bound:g}" for bound in BUCKETS[kind]), "+Inf"] if kind in BUCKETS else []
    assert bounds[: len(wanted)] == wanted
    assert bool(bounds) is bool(wanted)


def test_there_is_nothing_else_under_that_name_or_beside(families: dict[str, Metric]) -> None:
    assert {name for name in families if not name.startswith("pykubeproxy_")} == {
        *(f"kubeproxy_{row[0]}" for row in ROWS),
        *("kubernetes_build_info", "python_info", "process_cpu_seconds_total", "process_max_fds", "process_open_fds"),
        *("process_resident_memory_bytes", "process_start_time_seconds", "process_virtual_memory_bytes"),
        *("rest_client_requests_total", "rest_client_request_duration_seconds"),
    }
    (build,) = families["kubernetes_build_info"].samples
    git, others = {"git_version", "git_commit", "git_tree_state"}, {"build_date", "go_version", "compiler", "platform"}
    assert build.labels.keys() == {"major", "minor"} | git | others
    assert (build.value, build.labels["major"], build.labels["minor"]) == (1, "1", "37")
    assert build.labels["git_version"].startswith("v1.37.0+pykubeproxy.")


def test_what_each_call_changes(metrics: Metrics) -> None:
    before = [f"kubeproxy_sync_proxy_rules_{what}_changes_" for what in ("endpoint", "service")]
    assert lines_of(metrics) == [f"{name}{kind} 0" for name in before for kind in ("total", "pending")]
    use_all(metrics)
    assert lines_of(metrics) == USED.splitlines()


def test_causes_of_drift_are_limited(metrics: Metrics) -> None:
    for number in (*range(100), 3):
        metrics.drift_detected(V4, f"job-{number}")
    lines = lines_of(metrics, "pykubeproxy_drift")
    assert len(lines) == 21
    assert 'pykubeproxy_drift_detected_total{cause="_other",ip_family="IPv4"} 80' in lines
    assert 'pykubeproxy_drift_detected_total{cause="job-3",ip_family="IPv4"} 2' in lines


def test_feature_gates(metrics: Metrics) -> None:
    metrics.uses_gates(resolve({"AllowServiceExternalIPs": False, "NativeHistograms": True}))
    lines = lines_of(metrics, "kubernetes_feature_enabled")
    assert 'kubernetes_feature_enabled{name="AllowServiceExternalIPs",stage=""} 0' in lines
    assert 'kubernetes_feature_enabled{name="NativeHistograms",stage="BETA"} 1' in lines
    assert 'kubernetes_feature_enabled{name="MultiCIDRServiceAllocator",stage=""} 1' in lines


def test_a_sync_that_rewrites_a_chain_starts_its_counter_anew(metrics: Metrics) -> None:
    metrics.counters_read(V4, {rule(1): 100}, dict, Ruleset())
    rewritten = ChainChange(table="nat", chain="KUBE-SEP-1", before=(rule(1),), after=(rule(1),))
    metrics.synced(V4, Plan(chains=(rewritten,)), seconds=1, is_full=False)
    metrics.counters_read(V4, {rule(1): 130}, dict, Ruleset())
    (line,) = lines_of(metrics, "pykubeproxy_service_new")
    assert line.endswith(" 130")
