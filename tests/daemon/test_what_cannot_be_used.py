"""Rules are refused, an object makes no sense, or the API server is away: what worked goes on, and it tries again."""

import json
from pathlib import Path

from tests.apiserver import testing
from tests.daemon.node import HEALTHZ, NAME, WEB, Daemon, Node
from tests.kernel.stand_ins import StandIns

FAILURES = 'kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv4"}'
TROUBLE = "cannot follow the API server"


def test_a_refused_restore_is_tried_again(node: Node, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt"
    spoilt.touch()
    node.serve("10.244.0.5")
    tools = StandIns(tmp_path / "bin").spoiling_nat(spoilt)
    daemon = node.start("--iptables-sync-period=1s", path=tools.path)
    daemon.wait_told("sync failed; the rules in force stay, and it is tried again", 2, family="IPv4")
    assert "No chain/target/match by that name" in daemon.told("sync failed")[0]["error"]
    node.move("10.244.0.6")
    daemon.wait(lambda: daemon.get("/livez", HEALTHZ)[0] == 503, "a change has waited for two sync periods")
    report = json.loads(daemon.get("/livez", HEALTHZ)[1])
    assert (report["healthy"], report["status"]["IPv4"]["healthy"]) == (False, False)
    spoilt.unlink()
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080"), "a try that succeeds")
    daemon.wait(lambda: daemon.get("/livez", HEALTHZ)[0] == 200, "health")
    # Each failed sync has refused at least one restore, and more where it looked for what was refused.
    assert daemon.metrics()[FAILURES] >= len(daemon.told("sync failed", family="IPv4")) >= 2


def test_an_object_that_makes_no_sense(node: Node) -> None:
    api, bad = node.api, testing.service("never-good", clusterIP="10.96.0.300")
    node.serve("10.244.0.5")
    api.inject(bad)
    daemon = node.start()
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "the good ones")
    told = "Service default/never-good: spec.clusterIP: '10.96.0.300' is not an IP address, \"None\" or empty; skipped"
    (line,) = daemon.told("Service default/never-good")
    assert (line["event"], line["level"]) == (told, "error")

    api.inject(testing.service("web", clusterIP="10.96.0.300"))
    daemon.wait_told("Service default/web: spec.clusterIP")
    api.inject(testing.endpoint_slice("web") | {"addressType": 6})
    daemon.wait_told("EndpointSlice default/web")
    node.serve("10.244.0.6", name="more", address="10.96.0.21")
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080", "10.244.0.6:8080"), "others are served")
    assert f"{WEB}/32" in node.dump(), "the last good version stays"

    relist(node, daemon)
    assert len(daemon.told("Service default/never-good")) == 1, "told once for each version"
    assert len(daemon.told("Service default/web: ")) == 1
    api.inject(bad | {"spec": {"clusterIP": "x"}})
    daemon.wait_told("Service default/never-good", 2)
    api.inject(testing.service("web", clusterIP="10.96.0.20", ports=[{"name": "http", "port": 81}]))
    daemon.wait(lambda: " --dport 81 " in node.dump(), "a good version")


def relist(node: Node, daemon: Daemon) -> None:
    """Have the daemon list everything again, and see the end of it."""
    node.api.faults.compact()
    node.api.faults.break_watches("expired")
    node.api.create(testing.service("mark", clusterIP="10.96.0.99"))
    daemon.wait(lambda: "10.96.0.99/32" in node.dump(), "what came behind the list")


def test_nothing_is_written_before_services_and_slices_are_listed(node: Node) -> None:
    node.serve("10.244.0.5")
    node.api.faults.fail(503, count=None, resource="endpointslices")
    daemon = node.start()
    node.api.wait_watchers(1, "services")
    daemon.wait_told(TROUBLE, resource="endpointslices.discovery.k8s.io")
    assert "KUBE-" not in node.dump()
    node.api.faults.clear()
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "the first sync")


def test_without_an_api_server_the_rules_stay_and_it_goes_on_trying(node: Node) -> None:
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.serve("10.244.0.5")
    node.start().wait_synced().end()
    before = node.dump()
    node.api.faults.refuse()
    node.move("10.244.0.6")
    daemon = node.start()
    assert "Connection refused" in daemon.wait_told(TROUBLE)[0]["error"]
    status, report = daemon.get("/healthz", HEALTHZ)
    assert (status, json.loads(report)["nodeEligible"]) == (503, False), "the node was never seen"
    assert daemon.get("/livez", HEALTHZ)[0] == 200
    assert node.dump() == before
    node.api.faults.accept()
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080"), "what has changed meanwhile")
    daemon.wait(lambda: daemon.get("/healthz", HEALTHZ)[0] == 200, "the node")
    daemon.wait_told("following the API server again")
    assert len(daemon.told(TROUBLE)) == 1, "once for all resources, however often it is tried"
