from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.client import Client
from tests.apiserver.cluster import Cluster
from tests.apiserver.errors import ApiError
from tests.apiserver.resources import ENDPOINT_SLICES, SERVICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice, names, service

SLICES = ENDPOINT_SLICES.path()


@pytest.fixture
def client(api: Cluster) -> Client:
    return Client(api.access)


@pytest.fixture
def fake_client(fake_api: ApiServer) -> Client:
    return Client(fake_api.access)


def fill(api: Cluster, count: int) -> None:
    for index in range(count):
        api.create(endpoint_slice(f"s{index}", "10.244.0.5"))


def test_a_list_has_a_revision_and_items_without_kind(api: Cluster, client: Client) -> None:
    fill(api, 2)
    listed = client.request("GET", SLICES)
    assert (listed["kind"], listed["apiVersion"]) == ("EndpointSliceList", "discovery.k8s.io/v1")
    assert int(listed["metadata"]["resourceVersion"]) >= int(listed["items"][-1]["metadata"]["resourceVersion"])
    assert not any({"kind", "apiVersion"} & item.keys() for item in listed["items"])


def test_namespaced_and_all_namespaces(api: Cluster, client: Client) -> None:
    api.create(service("a", "one"))
    api.create(service("b", "two"))
    assert names(client.request("GET", SERVICES.path("two"))) == ["b"]
    assert {"a", "b"} <= set(names(client.request("GET", SERVICES.path())))


def test_selectors(api: Cluster, client: Client) -> None:
    api.create(service("plain", labels={"app": "x"}))
    api.create(service("headless", clusterIP="None"))
    api.create(service("proxied", labels={"service.kubernetes.io/service-proxy-name": "other"}))
    wanted = {"labelSelector": "!service.kubernetes.io/service-proxy-name", "fieldSelector": "spec.clusterIP!=None"}
    assert set(names(client.request("GET", SERVICES.path(), **wanted))) == {"kubernetes", "plain"}
    assert names(client.request("GET", SERVICES.path(), fieldSelector="metadata.name=headless")) == ["headless"]
    assert names(client.request("GET", SERVICES.path(), labelSelector="app in (x,y)")) == ["plain"]


def test_a_bad_selector_is_a_bad_request(client: Client) -> None:
    for query in ({"labelSelector": "a in b"}, {"fieldSelector": "spec.ports=1"}, {"resourceVersion": "latest"}):
        with pytest.raises(ApiError) as caught:
            client.request("GET", SLICES, **query)
        assert caught.value.code == 400


def test_pages_are_one_consistent_snapshot(api: Cluster, client: Client) -> None:
    fill(api, 5)
    first = client.request("GET", SLICES, limit="2")
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["s0", "s1"], 3)
    api.delete("EndpointSlice", "default", "s3")
    api.create(endpoint_slice("s2a", "10.244.0.6"))
    second = client.request("GET", SLICES, limit="2", **{"continue": first["metadata"]["continue"]})
    third = client.request("GET", SLICES, limit="2", **{"continue": second["metadata"]["continue"]})
    assert names(second) + names(third) == ["s2", "s3", "s4"]
    assert {page["metadata"]["resourceVersion"] for page in (first, second, third)} == {
        first["metadata"]["resourceVersion"]
    }
    assert "continue" not in third["metadata"]


def test_a_selector_hides_how_many_remain(api: Cluster, client: Client) -> None:
    fill(api, 3)
    metadata = client.request("GET", SLICES, limit="1", labelSelector="kubernetes.io/service-name")["metadata"]
    assert "continue" in metadata
    assert "remainingItemCount" not in metadata


def test_an_expired_page_offers_the_rest_of_the_present_state(fake_api: ApiServer, fake_client: Client) -> None:
    fill(fake_api, 3)
    token = fake_client.request("GET", SLICES, limit="2")["metadata"]["continue"]
    fake_api.faults.compact()
    fake_api.create(endpoint_slice("s9", "10.244.0.9"))
    code, body = fake_client.raw("GET", f"{SLICES}?limit=2&continue={token}")
    status = Client.decode(body)
    assert (code, status["reason"], status["code"]) == (410, "Expired", 410)
    rest = fake_client.request("GET", SLICES, **{"continue": status["metadata"]["continue"]})
    assert names(rest) == ["s2", "s9"]


def test_a_token_that_is_none_is_refused(client: Client) -> None:
    with pytest.raises(ApiError, match="continue key is not valid") as caught:
        client.request("GET", SLICES, limit="1", **{"continue": "bm9uc2Vuc2U"})
    assert caught.value.code == 400


def test_revision_zero_takes_any_state_and_ignores_the_limit(api: Cluster, client: Client) -> None:
    fill(api, 3)
    listed = client.request("GET", SLICES, resourceVersion="0", limit="1")
    assert len(listed["items"]) == 3


def test_an_exact_revision_is_the_past(api: Cluster, client: Client) -> None:
    fill(api, 2)
    then = client.request("GET", SLICES)["metadata"]["resourceVersion"]
    api.delete("EndpointSlice", "default", "s0")
    exact = client.request("GET", SLICES, resourceVersion=then, resourceVersionMatch="Exact")
    assert names(exact) == ["s0", "s1"]
    newer = client.request("GET", SLICES, resourceVersion=then, resourceVersionMatch="NotOlderThan")
    assert names(newer) == ["s1"]


def test_an_exact_revision_before_the_compaction_is_gone(fake_api: ApiServer, fake_client: Client) -> None:
    then = str(fake_api.revision)
    fake_api.faults.compact()
    with pytest.raises(ApiError) as caught:
        fake_client.request("GET", SLICES, resourceVersion=then, resourceVersionMatch="Exact")
    assert (caught.value.code, caught.value.reason) == (410, "Expired")


def test_a_revision_in_the_future_times_out() -> None:
    with ApiServer(patience=0.05) as server, pytest.raises(ApiError, match="Too large resource version") as caught:
        Client(server.access).request("GET", SLICES, resourceVersion=str(server.revision + 100))
    assert (caught.value.code, caught.value.reason) == (504, "Timeout")
    assert caught.value.retry_after == 1


@pytest.mark.parametrize(
    "query",
    [
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"resourceVersionMatch": "Older", "resourceVersion": "1"},
        {"sendInitialEvents": "true"},
    ],
)
def test_combinations_of_options_that_are_invalid(client: Client, query: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="ListOptions") as caught:
        client.request("GET", SLICES, **query)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")


def test_long_lists_are_compressed_for_those_who_take_it(fake_api: ApiServer, fake_client: Client) -> None:
    for index in range(300):
        fake_api.create(endpoint_slice(f"s{index}", *[f"10.244.0.{n}" for n in range(1, 11)]))
    connection = fake_client.connect()
    headers: dict[str, Any] = {"Authorization": f"Bearer {fake_api.access.token}", "Accept-Encoding": "gzip"}
    connection.request("GET", SLICES, headers=headers)
    response = connection.getresponse()
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(response.read()) < 100_000
    connection.close()


def test_service_cidrs_are_an_empty_list(fake_client: Client) -> None:
    listed = fake_client.request("GET", "/apis/networking.k8s.io/v1/servicecidrs")
    assert (listed["kind"], listed["items"]) == ("ServiceCIDRList", [])
