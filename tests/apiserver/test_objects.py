from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.cluster import Cluster
from tests.apiserver.errors import ApiError
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice, node, service


def test_defaults_of_a_slice(api: Cluster) -> None:
    created = api.create(endpoint_slice("web", "10.244.0.5", ports=[{"port": 8080}]))
    assert created["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    assert created["metadata"]["generation"] == 1


def test_an_empty_slice_has_null_lists(api: Cluster) -> None:
    created = api.create(endpoint_slice("web", endpoints=[], ports=[]))
    assert (created["endpoints"], created["ports"]) == (None, None)


def test_the_generation_of_a_slice_counts_changes_of_content(api: Cluster) -> None:
    api.create(endpoint_slice("web", "10.244.0.5"))
    annotated = api.patch("EndpointSlice", "default", "web", {"metadata": {"annotations": {"a": "b"}}})
    assert annotated["metadata"]["generation"] == 1
    changed = api.replace(endpoint_slice("web", "10.244.0.6"))
    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"addressType": "IPX"}, "addressType: Unsupported value"),
        ({"endpoints": [{"addresses": []}]}, r"endpoints\[0\]\.addresses: Required value"),
        ({"endpoints": [{"addresses": ["web.example"]}]}, r"endpoints\[0\]\.addresses\[0\]: Invalid value"),
        ({"endpoints": [{"addresses": ["10.244.0.5", "fd00::1"]}]}, r"\.addresses: .*must be an IPv4 address$"),
        (
            {"endpoints": [{"addresses": ["10.0.0.1"]}], "addressType": "IPv6"},
            r"\.addresses: .*must be an IPv6 address$",
        ),
        ({"endpoints": [{"addresses": ["::"]}], "addressType": "IPv6"}, r"\.addresses\[0\]: .*may not be unspecified"),
        ({"endpoints": [{"addresses": ["010.0.0.1"]}]}, r"\.addresses\[0\]: .*must not have leading 0s"),
        ({"endpoints": [{"addresses": ["::ffff:10.0.0.1"]}]}, r"\.addresses\[0\]: .*must not be an IPv4-mapped"),
        (
            {"endpoints": [{"addresses": ["FD00::1"]}], "addressType": "IPv6"},
            r"\.addresses\[0\]: .*must be in canonical form \(\"fd00::1\"\)",
        ),
        ({"endpoints": [{"addresses": ["127.0.0.1"]}]}, r"\.addresses\[0\]: .*may not be in the loopback range"),
        ({"endpoints": [{"addresses": ["169.254.1.1"]}]}, r"\.addresses\[0\]: .*may not be in the link-local range"),
        ({"endpoints": [{"addresses": ["224.0.0.1"]}]}, r"\.addresses\[0\]: .*may not be in the link-local multicast"),
        ({"endpoints": [{"addresses": [f"10.0.0.{n}" for n in range(101)]}]}, r"\.addresses: Too many: 101"),
    ],
)
def test_a_bad_slice_is_refused(api: Cluster, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        api.create(endpoint_slice("bad", "10.244.0.5", **fields))
    assert caught.value.code == 422


@pytest.mark.parametrize("address", ["fd00::1", "127.0.0.1"])
def test_endpoints_that_an_older_server_let_in_may_stay_as_they_are(fake_api: ApiServer, address: str) -> None:
    fake_api.inject(endpoint_slice("old", address))
    assert fake_api.patch("EndpointSlice", "default", "old", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(ApiError):
        fake_api.replace(endpoint_slice("old", address, "10.244.0.5"))


def test_a_node_is_created_with_its_status_and_then_only_the_subresource_changes_it(api: Cluster) -> None:
    api.create(node("n1", "192.0.2.1", podCIDR="10.244.0.0/24", podCIDRs=["10.244.0.0/24"]))
    same = api.patch("Node", "", "n1", {"status": {"addresses": []}})
    assert same["status"]["addresses"] == [{"type": "InternalIP", "address": "192.0.2.1"}]
    moved = api.apply(node("n1", "192.0.2.2", podCIDR="10.244.0.0/24", podCIDRs=["10.244.0.0/24"]))
    assert moved["status"]["addresses"] == [{"type": "InternalIP", "address": "192.0.2.2"}]


def test_a_stale_replacement_conflicts(api: Cluster) -> None:
    stale = api.create(service("web"))
    api.patch("Service", "default", "web", {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(ApiError, match="the object has been modified") as caught:
        api.replace(stale)
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    with pytest.raises(ApiError, match="the object has been modified"):
        api.patch("Service", "default", "web", {"metadata": {"resourceVersion": stale["metadata"]["resourceVersion"]}})


def test_a_write_that_changes_nothing_makes_no_version(api: Cluster) -> None:
    before = api.create(endpoint_slice("web", "10.244.0.5"))
    after = api.apply(endpoint_slice("web", "10.244.0.5"))
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_names_are_taken_and_missing_ones_not_found(api: Cluster) -> None:
    api.create(service("web"))
    with pytest.raises(ApiError, match='services "web" already exists') as caught:
        api.create(service("web"))
    assert (caught.value.code, caught.value.reason) == (409, "AlreadyExists")
    with pytest.raises(ApiError, match=r'endpointslices\.discovery\.k8s\.io "web" not found') as caught:
        api.get("EndpointSlice", "default", "web")
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    with pytest.raises(ApiError, match="not found"):
        api.delete("Service", "default", "other")


def test_a_finalizer_delays_the_deletion(api: Cluster) -> None:
    obj = service("web")
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    api.create(obj)
    api.delete("Service", "default", "web")
    assert "deletionTimestamp" in api.get("Service", "default", "web")["metadata"]
    api.patch("Service", "default", "web", {"metadata": {"finalizers": None}})
    with pytest.raises(ApiError, match="not found"):
        api.get("Service", "default", "web")


def test_events_are_the_same_in_both_groups(api: Cluster) -> None:
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "hello", "namespace": "default"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "kube-proxy",
        "reportingInstance": "n1",
        "action": "Start",
        "reason": "Starting",
        "regarding": {"kind": "Node", "name": "n1", "namespace": "default"},
        "note": "it starts",
        "type": "Normal",
    }
    created = api.create(event)
    assert (created["note"], created["regarding"]["name"]) == ("it starts", "n1")
    core = api.get("v1/Event", "default", "hello")
    assert (core["message"], core["involvedObject"]["name"]) == ("it starts", "n1")
    assert core["reportingComponent"] == "kube-proxy"


def test_an_event_without_its_required_fields_is_refused(api: Cluster) -> None:
    event = {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "hello", "namespace": "default"}}
    with pytest.raises(ApiError) as caught:
        api.create(event)
    assert caught.value.code == 422


@pytest.mark.parametrize("kind", ["v1", "events.k8s.io/v1"])
@pytest.mark.parametrize("when", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000000000Z"])
@pytest.mark.parametrize("series", [False, True])
def test_the_time_of_an_event_has_microseconds(api: Cluster, kind: str, when: str, series: bool) -> None:  # noqa: FBT001 - a parameter of the test
    event: dict[str, Any] = {"apiVersion": kind, "kind": "Event", "metadata": {"name": "hello", "namespace": "default"}}
    times = {"series": {"count": 2, "lastObservedTime": when}} if series else {"eventTime": when}
    with pytest.raises(ApiError, match="parsing time") as caught:
        api.create(event | times)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")


def test_loading_takes_what_is_served_and_can_be_repeated(api: Cluster) -> None:
    objects = [service("web"), endpoint_slice("web", "10.244.0.5"), {"apiVersion": "v1", "kind": "Pod", "metadata": {}}]
    assert len(api.load(objects)) == 2
    assert [obj["metadata"]["name"] for obj in api.load(objects)] == ["web", "web"]


def test_an_object_can_be_stored_unchecked(fake_api: ApiServer) -> None:
    hostile = endpoint_slice("web", "not an address", ports=None)
    fake_api.inject(hostile)
    assert fake_api.get("EndpointSlice", "default", "web")["endpoints"][0]["addresses"] == ["not an address"]


def test_every_cluster_has_the_kubernetes_service(api: Cluster) -> None:
    assert api.get("Service", "default", "kubernetes")["spec"]["clusterIP"] == "10.96.0.1"
