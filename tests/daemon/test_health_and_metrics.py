"""What a running daemon tells about itself: health, the health checks of Services, metrics, and Events."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apiserver import testing
from tests.apiserver.server import ApiServer
from tests.daemon.node import HEALTHZ, METRICS, NAME, WEB, Daemon, Node
from tests.daemon.traffic import answering, connect, lay_out
from tests.observe.client import is_listening

PODS = ("10.244.0.5", "10.244.0.6")
CHECK = 30500
AUTOSCALER = {"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}
CHECK_FAILED = "FailedToStartServiceHealthcheck"

# Metrics of which the parts of the daemon tell that do not follow the loop.
NAMES = {
    "kubeproxy_network_programming_duration_seconds_count",
    "kubeproxy_iptables_ct_state_invalid_dropped_packets_total",
    "kubeproxy_iptables_localhost_nodeports_accepted_packets_total",
    "kubeproxy_conntrack_reconciler_sync_duration_seconds_count",
    "kubeproxy_conntrack_reconciler_deleted_entries_total",
}


def slice_on(node_name: str, *addresses: str) -> testing.JsonObject:
    """The slice of the load balancer's Service, with endpoints on a node."""
    its = testing.endpoint_slice("lb", *addresses)
    return its | {"endpoints": [endpoint | {"nodeName": node_name} for endpoint in its["endpoints"]]}


@pytest.fixture
def daemon(node: Node) -> Iterator[Daemon]:
    """At work for a Service, with pods that answer; it looks at the live rules once a second."""
    lay_out(node, *PODS)
    node.api.create(testing.node(NAME, "192.0.2.1"))
    node.serve(PODS[0])
    with answering(node, *PODS):
        yield node.start("--iptables-sync-period=1s").wait_synced()


def test_health(node: Node, daemon: Daemon) -> None:
    status, body = daemon.get("/healthz?verbose", HEALTHZ)
    report = json.loads(body)
    assert (status, report["nodeEligible"], list(report["status"])) == (200, True, ["IPv4", "IPv6"])
    assert daemon.get("/livez", HEALTHZ, "::1")[0] == 200
    node.api.patch("Node", "", NAME, {"spec": {"taints": [AUTOSCALER]}})
    daemon.wait(lambda: daemon.get("/healthz", HEALTHZ)[0] == 503, "a node that is about to go")
    report = json.loads(daemon.get("/healthz", HEALTHZ)[1])
    assert (report["nodeEligible"], report["healthy"]) == (False, True)
    assert daemon.get("/livez", HEALTHZ)[0] == 200
    samples = daemon.metrics()
    assert samples['kubeproxy_proxy_livez_total{code="200"}'] == 2
    assert samples['kubeproxy_proxy_healthz_total{code="503"}'] >= 2


def test_health_checks_of_services(node: Node, daemon: Daemon) -> None:
    def balance(name: str, address: str, check: int) -> None:
        spec: dict[str, Any] = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": check}
        its = testing.service(name, clusterIP=address, **spec)
        api.create(its | {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}})

    def answers(port: int) -> bool:
        return node.inside(lambda: is_listening(port))

    api = node.api
    api.create(slice_on(NAME, *PODS))
    balance("lb", "10.96.0.30", CHECK)
    daemon.wait(lambda: answers(CHECK) and daemon.get("/", CHECK)[0] == 200, "the health check")
    expected = {"service": {"namespace": "default", "name": "lb"}, "localEndpoints": 2, "serviceProxyHealthy": True}
    assert json.loads(daemon.get("/any", CHECK)[1]) == expected
    api.apply(slice_on("node-b", *PODS))
    daemon.wait(lambda: daemon.get("/", CHECK)[0] == 503, "no local endpoint")
    series = 'kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"}'
    assert daemon.metrics()[series] == 1

    taken = node.inside(lambda: socket.create_server(("0.0.0.0", CHECK + 1)))  # noqa: S104  in a namespace
    with taken:
        balance("lb2", "10.96.0.31", CHECK + 1)
        daemon.wait(lambda: events(api, CHECK_FAILED), "an Event")
    (event,) = events(api, CHECK_FAILED)
    assert (event["regarding"]["name"], event["type"]) == ("lb2", "Warning")
    assert f'failed to start healthcheck "default/lb2" on port {CHECK + 1}: listen tcp4' in event["note"]
    daemon.wait(lambda: answers(CHECK + 1), "the port that is free now")
    api.delete("Service", "default", "lb")
    daemon.wait(lambda: not answers(CHECK), "the port is closed")
    assert len(events(api, CHECK_FAILED)) == 1
    (event,) = events(api, "Starting")
    assert (event["regarding"]["kind"], event["regarding"]["name"], event["action"]) == ("Node", NAME, "StartKubeProxy")


def test_metrics_and_pages(node: Node, daemon: Daemon) -> None:
    changed_at = {"annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2999-01-01T00:00:00Z"}}
    its, dns = testing.endpoint_slice("dns", PODS[0]), {"name": "http", "port": 53, "protocol": "UDP"}
    node.api.create(testing.service("dns", clusterIP="10.96.0.10", ports=[dns]))
    node.api.create(its | {"metadata": its["metadata"] | changed_at, "ports": [dns]})
    daemon.wait(lambda: {name.partition("{")[0] for name in daemon.metrics()} >= NAMES, "all metrics")
    samples = daemon.metrics()
    host = node.api.url.removeprefix("https://")
    assert samples[f'rest_client_requests_total{{code="200",host="{host}",method="GET"}}'] >= 3
    assert samples[f'rest_client_request_duration_seconds_count{{host="{host}",verb="POST"}}'] >= 1
    assert samples["kubeproxy_sync_proxy_rules_service_changes_pending"] == 0
    assert samples['pykubeproxy_adopted_chains{ip_family="IPv4",result="added"}'] > 5

    assert [daemon.get(page) for page in ("/proxyMode", "/healthz")] == [(200, b"iptables"), (200, b"ok")]
    config = json.loads(daemon.get("/configz")[1])["kubeproxy.config.k8s.io"]
    assert (config["hostnameOverride"], config["iptables"]["syncPeriod"]) == (NAME, "1s")
    assert f"hostname-override:{NAME}".encode() in daemon.get("/flagz")[1].replace(b" ", b"").replace(b"=", b":")


def test_new_connections_are_counted_and_totals_only_grow(node: Node, daemon: Daemon) -> None:
    labels = 'ip_family="IPv4",namespace="default",port="http",protocol="TCP",service="web"'
    seen = []

    def counted() -> float:
        seen.append(daemon.metrics().get(f"pykubeproxy_service_new_connections_total{{{labels}}}", 0))
        return seen[-1]

    for _ in range(5):
        connect(node, WEB, 80)
    daemon.wait(lambda: counted() == 5, "five connections")
    node.move(PODS[1])
    daemon.wait(lambda: node.sends_to(f"{PODS[1]}:8080"), "another endpoint")
    connect(node, WEB, 80)
    daemon.wait(lambda: counted() == 6, "one more")
    node.machine.exec(["iptables-nft", "-t", "nat", "-F"])
    daemon.wait_told("rules were changed by another program")
    connect(node, WEB, 80)
    daemon.wait(lambda: counted() == 7, "one more, after a flush")
    assert seen == sorted(seen)
    endpoint = f'pykubeproxy_endpoint_new_connections_total{{endpoint="{PODS[1]}:8080",{labels}}}'
    assert daemon.metrics()[endpoint] == 2


@pytest.mark.parametrize(
    ("port", "reason", "words"),
    [
        (HEALTHZ, "FailedToStartProxierHealthcheck", "healthz server failed: listen tcp"),
        (METRICS, "FailedToStartMetricServer", "listen tcp"),
    ],
)
def test_a_port_that_is_taken_ends_it_and_is_told_by_an_event(node: Node, port: int, reason: str, words: str) -> None:
    with node.inside(lambda: socket.create_server(("", port))):
        daemon = node.start("--bind-address-hard-fail", f"--metrics-bind-address=0.0.0.0:{METRICS}")
        assert daemon.wait_ended() == 1, daemon.log
    (event,) = events(node.api, reason)
    assert (event["type"], event["action"]) == ("Warning", "StartKubeProxy")
    assert (event["regarding"]["kind"], event["regarding"]["name"]) == ("Node", NAME)
    assert event["note"].startswith(words)
    assert event["note"] in daemon.log.replace('\\"', '"')
    assert events(node.api, "Starting") == []


def events(api: ApiServer, reason: str) -> list[testing.JsonObject]:
    return [event for event in api.objects("Event") if event["reason"] == reason]
