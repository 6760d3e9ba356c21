"""Rules are refused, or an object makes no sense: what worked goes on, and it is tried again."""

import json
from pathlib import Path

from tests.apiserver import testing
from tests.daemon.node import HEALTHZ, Daemon, Node
from tests.kernel.stand_ins import StandIns

FAILURES = 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv4"}'
PARTIAL_FAILURES = 'kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total{ip_family="IPv4"}'


def test_a_refused_restore_is_tried_again(node: Node, tmp_path: Path) -> None:
    api, spoilt = node.api, tmp_path / "spoilt"
    api.create(testing.service("web", clusterIP="10.96.0.20"))
    api.create(testing.endpoint_slice("web", "10.244.0.5"))
    spoilt.touch()
    tools = StandIns(tmp_path / "bin").spoiling_nat(spoilt)
    daemon = node.start("--iptables-sync-period=1s", path=tools.path)
    daemon.wait_told("sync failed; the rules in force stay, and it is tried again", 2, family="IPv4")
    assert "No chain/target/match by that name" in daemon.told("sync failed")[0]["error"]
    assert daemon.get("/livez", HEALTHZ)[0] == 200, "nobody has asked for anything since it began"
    api.apply(testing.endpoint_slice("web", "10.244.0.6"))
    daemon.wait(lambda: daemon.get("/livez", HEALTHZ)[0] == 503, "a change has waited for two sync periods")
    report = json.loads(daemon.get("/livez", HEALTHZ)[1])
    assert (report["healthy"], report["status"]["IPv4"]["healthy"]) == (False, False)
    assert not node.sends_to("10.244.0.6:8080")

    spoilt.unlink()
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080"), "a try that succeeds")
    daemon.wait(lambda: daemon.get("/livez", HEALTHZ)[0] == 200, "health")
    samples = daemon.metrics()
    # Each failed sync has refused at least one restore, and more where it looked for what was refused.
    assert samples[FAILURES] >= len(daemon.told("sync failed", family="IPv4")) >= 2
    assert PARTIAL_FAILURES not in samples

    spoilt.touch()
    api.apply(testing.endpoint_slice("web", "10.244.0.7"))
    daemon.wait(lambda: daemon.metrics().get(PARTIAL_FAILURES, 0) == 1, "a small change is refused")
    assert node.sends_to("10.244.0.6:8080")
    spoilt.unlink()
    daemon.wait(lambda: node.sends_to("10.244.0.7:8080"), "a try that succeeds")
    assert daemon.metrics()[PARTIAL_FAILURES] == 1


def test_an_object_that_makes_no_sense(node: Node) -> None:
    api = node.api
    api.create(testing.service("web", clusterIP="10.96.0.20"))
    api.create(testing.endpoint_slice("web", "10.244.0.5"))
    api.inject(bad_service("never-good"))
    daemon = node.start()
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "the good ones")
    told = "Service default/never-good: spec.clusterIP: '10.96.0.300' is not an IP address, \"None\" or empty; skipped"
    (line,) = daemon.told("Service default/never-good")
    assert (line["event"], line["level"]) == (told, "error")

    good = api.get("Service", "default", "web")
    api.inject(good | {"spec": good["spec"] | {"clusterIP": "10.96.0.300"}})
    daemon.wait_told("Service default/web: spec.clusterIP")
    api.inject({"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", **of_web("web"), "addressType": 6})
    daemon.wait_told("EndpointSlice default/web")
    api.create(testing.service("more", clusterIP="10.96.0.21"))
    api.create(testing.endpoint_slice("more", "10.244.0.6"))
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080", "10.244.0.6:8080"), "others are served")
    assert "10.96.0.20/32" in node.dump(), "the last good version stays"

    relist(node, daemon)
    assert len(daemon.told("Service default/never-good")) == 1, "told once for each version"
    assert len(daemon.told("Service default/web: ")) == 1
    api.inject(bad_service("never-good") | {"spec": {"clusterIP": "x"}})
    daemon.wait_told("Service default/never-good", 2)
    api.inject(good | {"spec": good["spec"] | {"ports": [{"name": "http", "port": 81}]}})
    daemon.wait(lambda: " --dport 81 " in node.dump(), "a good version")


def bad_service(name: str) -> testing.JsonObject:
    return testing.service(name, clusterIP="10.96.0.300")


def of_web(name: str) -> testing.JsonObject:
    return {"metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}}}


def relist(node: Node, daemon: Daemon) -> None:
    """Have the daemon list everything again, and see the end of it."""
    node.api.faults.compact()
    node.api.faults.break_watches("expired")
    node.api.create(testing.service("mark", clusterIP="10.96.0.99"))
    daemon.wait(lambda: "10.96.0.99/32" in node.dump(), "what came behind the list")
