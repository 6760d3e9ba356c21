"""Example F of the reference: the metrics after the first sync of the worked example."""

from pathlib import Path

import pytest

from pykubeproxy.cluster.manifests import Manifests
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Snapshot
from pykubeproxy.observe.exposition import expose
from pykubeproxy.observe.metrics import Metrics
from pykubeproxy.observe.no_local_endpoints import DroppedTraffic
from pykubeproxy.plan.diff import diff
from pykubeproxy.rules.compile import Compiler
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import options

OBJECTS = Path(__file__).parents[1] / "worked" / "first-sync" / "objects.yaml"

# Three less in IPv4's nat than in the reference, which has nfacct and so a rule for each node port on localhost.
EXPECTED = """\
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


@pytest.fixture
def cluster() -> Snapshot:
    known = Snapshot()
    for obj in Manifests((str(OBJECTS),)).load().put:
        known.put(obj)
    return known


def test_first_sync(cluster: Snapshot) -> None:
    metrics = Metrics()
    for family in Family:
        compiler, counts = Compiler(options(family)), DroppedTraffic()
        compiler.update(cluster, cluster.services)
        counts.update(compiler.take_traffic())
        metrics.planned(family, diff(compiler.ruleset, Ruleset(tables={})), compiler.rule_counts)
        metrics.dropped_without_local_endpoints(family, counts.total)
    lines = expose(metrics.registry, "")[0].decode().splitlines()
    prefixes = ("kubeproxy_sync_proxy_rules_iptables_", "kubeproxy_sync_proxy_rules_no_local_")
    assert sorted(line for line in lines if line.startswith(prefixes)) == EXPECTED
