from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.apiserver import control
from tests.apiserver.client import Client
from tests.apiserver.errors import ApiError
from tests.apiserver.faults import Faults
from tests.apiserver.resources import SERVICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import RawWatch, endpoint_slice


@pytest.fixture
def client(fake_api: ApiServer) -> Client:
    return Client(fake_api.access)


def order(client: Client, fault: str, **arguments: Any) -> Any:
    return client.request("POST", "/_test/faults", {"fault": fault} | arguments)


def test_every_fault_can_be_ordered_over_http() -> None:
    asked = ("next_failure", "next_break", "truncates", "delay_of", "stalls", "loses_answer")
    public = {name for name in vars(Faults) if not name.startswith("_")}
    assert set(control.ORDERS) == public - set(asked)


def test_ordering_and_clearing(client: Client) -> None:
    order(client, "fail", code=429, count=5, retry_after=1)
    assert client.raw("GET", SERVICES.path())[0] == 429
    client.request("DELETE", "/_test/faults")
    assert client.raw("GET", SERVICES.path())[0] == 200


def test_no_token_is_needed(fake_api: ApiServer) -> None:
    stranger = Client(msgspec.structs.replace(fake_api.access, token="wrong"))
    assert order(stranger, "break_watches", how="end") == {"result": 0}


def test_breaking_watches(fake_api: ApiServer, client: Client) -> None:
    with RawWatch(fake_api, SERVICES, resourceVersion=str(fake_api.revision)) as watch:
        query = {"count": "1", "resource": "services"}
        assert client.request("GET", "/_test/watchers", **query) == {"watchers": 1}
        assert order(client, "break_watches", how="expired") == {"result": 1}
        assert watch.event()[0] == "ERROR"


def test_compacting_tells_the_new_revision(fake_api: ApiServer, client: Client) -> None:
    assert order(client, "compact") == {"result": fake_api.revision}


def test_restarting_answers_first(fake_api: ApiServer, client: Client) -> None:
    assert order(client, "restart", revision=5_000_000) == {"result": None}
    while fake_api.revision != 5_000_000:
        pass
    while not client.is_ready():
        pass


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"fault": "explode"}, "fault: 'explode' is none of accept, bookmarks"),
        ({"fault": "fail"}, "missing a required argument: 'code'"),
        ({"fault": "delay", "seconds": 1}, "missing a required argument: 'milliseconds'"),
        ({"fault": "break_watches", "how": "explode"}, "'explode' is no way to break a watch"),
        ([], "the body is no JSON object"),
    ],
)
def test_mistakes_are_explained(client: Client, body: object, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        client.request("POST", "/_test/faults", body)
    assert caught.value.code == 400


def test_counts(client: Client) -> None:
    client.raw("GET", SERVICES.path())
    counts = client.request("GET", "/_test/requests")
    assert counts == {"requests": [{"verb": "list", "resource": "services", "count": 1}], "total": 1}
    client.request("DELETE", "/_test/requests")
    assert client.request("GET", "/_test/requests")["total"] == 0


def test_waiting_for_watchers_gives_up(client: Client) -> None:
    with pytest.raises(ApiError, match=r"0 watches after 0\.01 s, not 2") as caught:
        client.request("GET", "/_test/watchers", count="2", timeout="0.01")
    assert caught.value.code == 504


def test_storing_an_object_unchecked(fake_api: ApiServer, client: Client) -> None:
    client.request("POST", "/_test/objects", endpoint_slice("odd", "nonsense"))
    assert fake_api.get("EndpointSlice", "default", "odd")["endpoints"][0]["addresses"] == ["nonsense"]
    with pytest.raises(ApiError, match="kind: not served"):
        client.request("POST", "/_test/objects", {"kind": "Pod"})
