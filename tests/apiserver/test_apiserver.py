"""What the tests of the program rely on: lists, watches and their order; the faults have tests in `tests/cluster`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apiserver.client import Client
from tests.apiserver.errors import ApiError
from tests.apiserver.resources import NODES, SERVICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import node, service

NOT_PROXIED = "labelSelector=!service.kubernetes.io/service-proxy-name"
STREAMING = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer(kubernetes_service=False) as server:
        yield server


def names(listed: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


def watched(api: ApiServer, path: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """The first events of a watch, each by type and object."""
    connection = Client(api.access).connect()
    connection.request("GET", f"{path}&watch=true", headers={"Authorization": f"Bearer {api.access.token}"})
    response = connection.getresponse()
    events = [json.loads(response.readline()) for _ in range(count)]
    connection.close()
    return [(event["type"], event["object"]) for event in events]


def test_pages_are_of_the_revision_of_the_first_one(api: ApiServer) -> None:
    client = Client(api.access)
    for name in "abc":
        api.create(service(name))
    first = client.request("GET", f"{SERVICES.path()}?limit=2")
    api.delete("Service", "default", "c")
    token = first["metadata"]["continue"]
    second = client.request("GET", f"{SERVICES.path()}?limit=2&continue={token}")
    assert (names(first), names(second)) == (["a", "b"], ["c"])
    api.faults.compact()
    with pytest.raises(ApiError, match="too old") as caught:
        client.request("GET", f"{SERVICES.path()}?limit=2&continue={token}")
    assert caught.value.code == 410


def test_an_object_that_stops_matching_is_deleted_and_one_that_starts_is_added(api: ApiServer) -> None:
    since = api.create(node("n", "192.0.2.1"))["metadata"]["resourceVersion"]
    api.create(service("web"))
    label = {"service.kubernetes.io/service-proxy-name": "other"}
    hidden = api.patch("Service", "default", "web", {"metadata": {"labels": label}})
    api.patch("Service", "default", "web", {"spec": {"sessionAffinity": "ClientIP"}})
    api.patch("Service", "default", "web", {"metadata": {"labels": None}})
    api.delete("Service", "default", "web")
    events = watched(api, f"{SERVICES.path()}?resourceVersion={since}&{NOT_PROXIED}", 4)
    assert [kind for kind, _ in events] == ["ADDED", "DELETED", "ADDED", "DELETED"]
    assert "labels" not in events[1][1]["metadata"], "a deletion shows the last state that matched"
    assert events[1][1]["metadata"]["resourceVersion"] == hidden["metadata"]["resourceVersion"]


def test_field_selectors(api: ApiServer) -> None:
    client = Client(api.access)
    for name in ("n1", "n2"):
        api.create(node(name, "192.0.2.1"))
    api.create(service("headless", clusterIP="None"))
    api.create(service("plain"))
    assert names(client.request("GET", f"{NODES.path()}?fieldSelector=metadata.name=n2")) == ["n2"]
    assert names(client.request("GET", f"{SERVICES.path()}?fieldSelector=spec.clusterIP!=None")) == ["plain"]


def test_a_streaming_list_ends_with_a_bookmark(api: ApiServer) -> None:
    api.create(service("web"))
    (added, web), (kind, mark) = watched(api, f"{SERVICES.path()}?{STREAMING}", 2)
    assert (added, web["metadata"]["name"], web["kind"]) == ("ADDED", "web", "Service")
    assert (kind, mark["metadata"]["annotations"]) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})
    assert mark["metadata"]["resourceVersion"] == str(api.store.revision)


def test_lost_history_is_said_in_the_stream(api: ApiServer) -> None:
    since = api.create(service("web"))["metadata"]["resourceVersion"]
    api.faults.compact()
    ((kind, status),) = watched(api, f"{SERVICES.path()}?resourceVersion={since}", 1)
    assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


def test_strangers_are_turned_away(api: ApiServer) -> None:
    client = Client(api.access)
    api.rotate_token()
    with pytest.raises(ApiError, match="Unauthorized"):
        client.request("GET", SERVICES.path())
