from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.client import Client
from tests.apiserver.cluster import Cluster
from tests.apiserver.errors import ApiError
from tests.apiserver.resources import ENDPOINT_SLICES, NODES, SERVICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import RawWatch, endpoint_slice, node, service

STREAM = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
NOT_PROXIED = "!service.kubernetes.io/service-proxy-name"


def revision_of(api: Cluster, path: str = SERVICES.path()) -> str:
    return str(Client(api.access).request("GET", path)["metadata"]["resourceVersion"])


def test_changes_after_a_revision(api: Cluster) -> None:
    since = revision_of(api)
    api.create(service("web"))
    with RawWatch(api, SERVICES, resourceVersion=since) as watch:
        assert watch.response.headers["Content-Type"] == "application/json"
        kind, obj = watch.event()
        assert (kind, obj["kind"], obj["apiVersion"], obj["metadata"]["name"]) == ("ADDED", "Service", "v1", "web")
        api.patch("Service", "default", "web", {"metadata": {"labels": {"a": "b"}}})
        api.delete("Service", "default", "web")
        (changed, one), (gone, two) = watch.event(), watch.event()
        assert (changed, gone) == ("MODIFIED", "DELETED")
        assert int(two["metadata"]["resourceVersion"]) > int(one["metadata"]["resourceVersion"])


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}])
def test_a_watch_from_nowhere_begins_with_the_present_state(api: Cluster, query: dict[str, str]) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    api.create(endpoint_slice("b", "10.244.0.6"))
    with RawWatch(api, ENDPOINT_SLICES, **query) as watch:
        assert watch.events(2) == [("ADDED", "a"), ("ADDED", "b")]


def test_an_object_that_stops_matching_is_deleted_and_one_that_starts_is_added(api: Cluster) -> None:
    since = revision_of(api)
    with RawWatch(api, SERVICES, resourceVersion=since, labelSelector=NOT_PROXIED) as watch:
        api.create(service("web"))
        label = {"service.kubernetes.io/service-proxy-name": "other"}
        hidden = api.patch("Service", "default", "web", {"metadata": {"labels": label}})
        api.patch("Service", "default", "web", {"spec": {"sessionAffinity": "ClientIP"}})
        api.patch("Service", "default", "web", {"metadata": {"labels": None}})
        assert watch.event()[0] == "ADDED"
        kind, obj = watch.event()
        assert kind == "DELETED"
        assert "labels" not in obj["metadata"], "a deletion shows the last state that matched"
        assert obj["metadata"]["resourceVersion"] == hidden["metadata"]["resourceVersion"]
        assert watch.events(1) == [("ADDED", "web")]


def test_field_selectors_and_namespaces_select_events(api: Cluster) -> None:
    since = revision_of(api, NODES.path())
    with (
        RawWatch(api, NODES, resourceVersion=since, fieldSelector="metadata.name=n2") as nodes,
        RawWatch(api, SERVICES, "two", resourceVersion=since, fieldSelector="spec.clusterIP!=None") as services,
    ):
        api.create(node("n1", "192.0.2.1"))
        api.create(node("n2", "192.0.2.2"))
        api.create(service("a", "one"))
        api.create(service("b", "two", clusterIP="None"))
        api.create(service("c", "two"))
        assert nodes.events(1) == [("ADDED", "n2")]
        assert services.events(1) == [("ADDED", "c")]


def test_a_named_object_can_be_watched(fake_api: ApiServer) -> None:
    fake_api.create(node("n1", "192.0.2.1"))
    fake_api.create(node("n2", "192.0.2.2"))
    listed = Client(fake_api.access).request("GET", NODES.path("", "n2"), watch="true", timeoutSeconds="1")
    assert listed["object"]["metadata"]["name"] == "n2"


def test_a_streamed_list_ends_with_an_annotated_bookmark(api: Cluster) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    with RawWatch(api, ENDPOINT_SLICES, **STREAM) as watch:
        assert watch.events(1) == [("ADDED", "a")]
        kind, obj = watch.event()
        assert (kind, obj["kind"], obj["endpoints"], obj["ports"]) == ("BOOKMARK", "EndpointSlice", None, None)
        assert obj["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        since = obj["metadata"]["resourceVersion"]
        api.create(endpoint_slice("b", "10.244.0.6"))
        assert watch.events(1) == [("ADDED", "b")]
    with RawWatch(api, ENDPOINT_SLICES, resourceVersion=since) as resumed:
        assert resumed.events(1) == [("ADDED", "b")]


def test_a_streamed_list_without_bookmarks_has_no_end_mark(fake_api: ApiServer) -> None:
    query = STREAM | {"allowWatchBookmarks": "false", "timeoutSeconds": "1"}
    with RawWatch(fake_api, SERVICES, **query) as watch:
        assert watch.events(1) == [("ADDED", "kubernetes")]
        assert watch.line() == b""


@pytest.mark.parametrize(
    "query",
    [
        {"sendInitialEvents": "true"},
        {"resourceVersionMatch": "NotOlderThan"},
        STREAM | {"resourceVersionMatch": "Exact"},
    ],
)
def test_combinations_of_options_that_are_invalid(api: Cluster, query: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="ListOptions") as caught:
        Client(api.access).request("GET", SERVICES.path(), watch="true", **query)
    assert caught.value.code == 422


def test_an_older_server_refuses_to_stream_lists(fake_api: ApiServer) -> None:
    fake_api.faults.stream_lists(False)
    with pytest.raises(ApiError, match="unless the WatchList feature gate is enabled") as caught:
        Client(fake_api.access).request("GET", SERVICES.path(), watch="true", **STREAM)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")


def test_lost_history_is_an_error_event(fake_api: ApiServer) -> None:
    since = str(fake_api.revision)
    fake_api.faults.compact()
    with RawWatch(fake_api, SERVICES, resourceVersion=since) as watch:
        assert watch.response.status == 200
        kind, status = watch.event()
        assert (kind, status["kind"], status["code"], status["reason"]) == ("ERROR", "Status", 410, "Expired")
        assert watch.line() == b""


def test_lost_history_as_a_plain_answer(fake_api: ApiServer) -> None:
    since = str(fake_api.revision)
    fake_api.faults.compact()
    fake_api.faults.expire_as_http()
    with RawWatch(fake_api, SERVICES, resourceVersion=since) as watch:
        assert watch.response.status == 410


def test_a_connected_watch_survives_a_compaction(fake_api: ApiServer) -> None:
    with RawWatch(fake_api, SERVICES, resourceVersion=str(fake_api.revision)) as watch:
        fake_api.wait_watchers(1)
        fake_api.faults.compact()
        fake_api.create(service("web"))
        assert watch.events(1) == [("ADDED", "web")]


def test_a_watch_from_the_future_hears_nothing_of_the_present(fake_api: ApiServer) -> None:
    with RawWatch(fake_api, SERVICES, resourceVersion=str(fake_api.revision + 2)) as watch:
        for name in ("one", "two", "three"):
            fake_api.create(service(name))
        assert watch.events(1) == [("ADDED", "three")]


def test_bookmarks_on_demand_only_for_those_who_allow_them(fake_api: ApiServer) -> None:
    now = str(fake_api.revision)
    with (
        RawWatch(fake_api, SERVICES, resourceVersion=now, allowWatchBookmarks="true") as asked,
        RawWatch(fake_api, SERVICES, resourceVersion=now) as plain,
    ):
        fake_api.wait_watchers(2)
        fake_api.create(endpoint_slice("other", "10.244.0.5"))
        fake_api.faults.bookmarks()
        kind, obj = asked.event()
        assert (kind, obj["kind"]) == ("BOOKMARK", "Service")
        assert obj["metadata"] == {"resourceVersion": str(fake_api.revision)}
        fake_api.create(service("web"))
        assert plain.events(1) == [("ADDED", "web")]


def test_bookmarks_come_by_themselves() -> None:
    with ApiServer(bookmark_interval=0.05) as server:
        query: dict[str, Any] = {"resourceVersion": str(server.revision), "allowWatchBookmarks": "true"}
        with RawWatch(server, SERVICES, **query) as watch:
            assert [watch.event()[0] for _ in range(3)] == ["BOOKMARK"] * 3


def test_a_bookmark_comes_before_the_timeout(fake_api: ApiServer) -> None:
    query = {"resourceVersion": str(fake_api.revision), "allowWatchBookmarks": "true", "timeoutSeconds": "3"}
    with RawWatch(fake_api, SERVICES, **query) as watch:
        assert watch.event()[0] == "BOOKMARK"
        assert watch.line() == b""


def test_the_timeout_ends_the_stream_in_good_order_and_the_connection_stays_usable(fake_api: ApiServer) -> None:
    client = Client(fake_api.access)
    connection = client.connect()
    headers = {"Authorization": f"Bearer {fake_api.access.token}"}
    path = f"{SERVICES.path()}?watch=true&timeoutSeconds=1&resourceVersion={fake_api.revision}"
    connection.request("GET", path, headers=headers)
    assert connection.getresponse().read() == b""
    connection.request("GET", "/readyz", headers=headers)
    assert connection.getresponse().read() == b"ok"
    connection.close()


def test_ten_thousand_events_arrive_complete_and_in_order(fake_api: ApiServer) -> None:
    fake_api.create(endpoint_slice("web", "10.244.0.5"))
    with RawWatch(fake_api, ENDPOINT_SLICES, resourceVersion=str(fake_api.revision)) as watch:
        fake_api.wait_watchers(1)
        for number in range(10_000):
            fake_api.patch("EndpointSlice", "default", "web", {"metadata": {"labels": {"n": str(number)}}})
        seen = [watch.event()[1]["metadata"]["labels"]["n"] for _ in range(10_000)]
    assert seen == [str(number) for number in range(10_000)]


def test_a_client_that_hangs_up_is_no_watcher_any_more(fake_api: ApiServer) -> None:
    with RawWatch(fake_api, SERVICES):
        fake_api.wait_watchers(1, "services")
    fake_api.wait_watchers(0)
