from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver.cluster import Cluster
from tests.apiserver.testing import endpoint_slice, node, official, official_connection, official_watch, service


@pytest.fixture
def connection(api: Cluster, tmp_path: Path) -> Any:
    return official_connection(api.kubeconfig(tmp_path / "kubeconfig"))


@pytest.fixture
def core(connection: Any) -> Any:
    return official.CoreV1Api(connection)


@pytest.fixture
def discovery(connection: Any) -> Any:
    return official.DiscoveryV1Api(connection)


def test_typed_objects_survive_the_round_trip(core: Any) -> None:
    body = official.V1Service(
        metadata=official.V1ObjectMeta(name="web", labels={"a": "b"}),
        spec=official.V1ServiceSpec(ports=[official.V1ServicePort(port=80, target_port="http")], type="NodePort"),
    )
    created = core.create_namespaced_service("default", body)
    assert created.spec.ports[0].target_port == "http"
    assert created.metadata.creation_timestamp is not None
    read = core.read_namespaced_service("web", "default")
    assert read.to_dict() == created.to_dict()
    read.spec.session_affinity = "ClientIP"
    replaced = core.replace_namespaced_service("web", "default", read)
    assert replaced.spec.session_affinity_config.client_ip.timeout_seconds == 10800
    with pytest.raises(official.ApiException) as caught:
        core.replace_namespaced_service("web", "default", read)
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    assert core.delete_namespaced_service("web", "default").metadata.name == "web"


def test_pages(api: Cluster, discovery: Any) -> None:
    for index in range(5):
        api.create(endpoint_slice(f"s{index}", "10.244.0.5"))
    names: list[str] = []
    token = None
    while True:
        page = discovery.list_endpoint_slice_for_all_namespaces(limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == ["s0", "s1", "s2", "s3", "s4"]


def test_watch(api: Cluster, core: Any) -> None:
    since = core.list_service_for_all_namespaces().metadata.resource_version
    api.create(service("web"))
    api.patch("Service", "default", "web", {"metadata": {"labels": {"a": "b"}}})
    api.delete("Service", "default", "web")
    stream = official_watch.Watch().stream(
        core.list_service_for_all_namespaces, resource_version=since, timeout_seconds=5
    )
    seen = [(event["type"], event["object"].metadata.name) for _, event in zip(range(3), stream, strict=False)]
    assert seen == [("ADDED", "web"), ("MODIFIED", "web"), ("DELETED", "web")]


def test_a_watch_that_is_already_connected(api: Cluster, core: Any) -> None:
    since = core.list_node().metadata.resource_version
    timer = threading.Timer(0.1, api.create, (node("n1", "192.0.2.1"),))
    timer.start()
    for event in official_watch.Watch().stream(core.list_node, resource_version=since, timeout_seconds=10):
        assert event["object"].status.addresses[0].address == "192.0.2.1"
        break
    timer.join()


def test_patches(api: Cluster, core: Any) -> None:
    api.create(service("web"))
    strategic = core.patch_namespaced_service("web", "default", {"spec": {"ports": [{"port": 443, "name": "https"}]}})
    assert [port.port for port in strategic.spec.ports] == [443, 80]
    operations = [{"op": "remove", "path": "/spec/ports/0"}]
    assert [p.port for p in core.patch_namespaced_service("web", "default", operations).spec.ports] == [80]
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    core.patch_namespaced_service("web", "default", {"spec": {"type": "LoadBalancer"}})
    assert core.patch_namespaced_service_status("web", "default", status).status.load_balancer.ingress[0].ip


def test_events_in_the_new_group(connection: Any) -> None:
    events = official.EventsV1Api(connection)
    body = {
        "metadata": {"generateName": "kube-proxy-"},
        "eventTime": "2026-01-01T00:00:00.000001Z",  # this client writes no microseconds where they are zero
        "reportingController": "kube-proxy",
        "reportingInstance": "n1",
        "action": "StartKubeProxy",
        "reason": "Starting",
        "regarding": {"kind": "Node", "name": "n1"},
        "note": "starting",
        "type": "Normal",
    }
    name = events.create_namespaced_event("default", body).metadata.name
    assert events.read_namespaced_event(name, "default").note == "starting"
    core = official.CoreV1Api(connection)
    assert core.read_namespaced_event(name, "default").message == "starting"
    series = {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:01:00.000000Z"}}
    assert events.patch_namespaced_event(name, "default", series).series.count == 2


def test_the_version(connection: Any) -> None:
    assert official.VersionApi(connection).get_code().major == "1"
