from __future__ import annotations

from tests.apiserver.client import Client
from tests.apiserver.resources import ENDPOINT_SLICES, SERVICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import RawWatch, service


def test_requests_are_counted_by_verb_and_resource(fake_api: ApiServer) -> None:
    client = Client(fake_api.access)
    client.raw("GET", SERVICES.path())
    client.raw("GET", SERVICES.path("default", "kubernetes"))
    client.raw("POST", SERVICES.path("default"), service("web"))
    client.raw("GET", ENDPOINT_SLICES.path())
    client.raw("GET", "/readyz")
    with RawWatch(fake_api, SERVICES):
        pass
    journal = fake_api.requests
    assert journal.counts() == {
        ("list", "services"): 1,
        ("get", "services"): 1,
        ("create", "services"): 1,
        ("list", "endpointslices"): 1,
        ("get", "/readyz"): 1,
        ("watch", "services"): 1,
    }
    assert (journal.count(), journal.count("list"), journal.count(resource="services")) == (6, 2, 4)
    journal.clear()
    assert journal.count() == 0


def test_a_request_is_kept_with_its_parameters_and_without_its_token(fake_api: ApiServer) -> None:
    Client(fake_api.access).raw("GET", f"{SERVICES.path()}?labelSelector=%21a&limit=5")
    (request,) = fake_api.requests.requests("list", "services")
    assert request.query == {"labelSelector": "!a", "limit": "5"}
    assert request.headers["accept"] == "application/json"
    assert fake_api.access.token not in repr(request)


def test_failed_requests_count_too(fake_api: ApiServer) -> None:
    fake_api.faults.fail(500, count=2)
    for _ in range(2):
        Client(fake_api.access).raw("GET", SERVICES.path())
    assert fake_api.requests.wait(2, "list", timeout=0)
    assert not fake_api.requests.wait(3, "list", timeout=0)


def test_in_process_calls_are_no_requests(fake_api: ApiServer) -> None:
    fake_api.create(service("web"))
    assert fake_api.requests.count() == 0
