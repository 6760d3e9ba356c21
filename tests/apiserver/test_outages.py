from __future__ import annotations

import http.client
import ssl

import pytest

from tests.apiserver.client import Client
from tests.apiserver.errors import ApiError
from tests.apiserver.resources import SERVICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import RawWatch, names, service


@pytest.fixture
def client(fake_api: ApiServer) -> Client:
    return Client(fake_api.access)


def connected(fake_api: ApiServer, revision: int | None = None) -> RawWatch:
    watch = RawWatch(fake_api, SERVICES, resourceVersion=str(revision or fake_api.revision))
    fake_api.wait_watchers(1)
    return watch


def test_refused_connections_and_the_return(fake_api: ApiServer, client: Client) -> None:
    url = fake_api.url
    with connected(fake_api) as watch:
        fake_api.faults.refuse()
        with pytest.raises((http.client.HTTPException, OSError)):
            watch.response.read()
    with pytest.raises(ConnectionRefusedError):
        client.raw("GET", "/readyz")
    fake_api.create(service("meanwhile"))
    fake_api.faults.accept()
    assert fake_api.url == url
    assert "meanwhile" in names(client.request("GET", SERVICES.path()))


def test_connections_may_outlive_the_listening_socket(fake_api: ApiServer, client: Client) -> None:
    with connected(fake_api) as watch:
        fake_api.faults.refuse(drop=False)
        with pytest.raises(ConnectionRefusedError):
            client.raw("GET", "/readyz")
        fake_api.create(service("web"))
        assert watch.events(1) == [("ADDED", "web")]


def test_refusing_for_a_while_ends_by_itself(fake_api: ApiServer, client: Client) -> None:
    fake_api.faults.refuse(0.05)
    with pytest.raises(ConnectionRefusedError):
        client.raw("GET", "/readyz")
    while not client.is_ready():
        pass
    assert client.raw("GET", "/readyz")[0] == 200


def test_a_restart_loses_connections_and_history_but_no_objects(fake_api: ApiServer, client: Client) -> None:
    before = fake_api.revision
    fake_api.create(service("web"))
    now = fake_api.revision
    with connected(fake_api) as watch:
        fake_api.faults.restart()
        with pytest.raises((http.client.HTTPException, OSError)):
            watch.response.read()
    assert "web" in names(client.request("GET", SERVICES.path()))
    with RawWatch(fake_api, SERVICES, resourceVersion=str(before)) as late:
        assert late.event()[1]["code"] == 410
    with connected(fake_api, now) as watch:
        fake_api.create(service("later"))
        assert watch.events(1) == [("ADDED", "later")]


def test_a_restart_at_a_higher_revision_expires_everything(fake_api: ApiServer, client: Client) -> None:
    before = fake_api.revision
    fake_api.faults.restart(revision=before + 1_000_000)
    with RawWatch(fake_api, SERVICES, resourceVersion=str(before)) as watch:
        assert watch.event()[1]["code"] == 410
    assert client.request("GET", SERVICES.path())["metadata"]["resourceVersion"] == str(before + 1_000_000)


def test_a_restart_at_a_lower_revision_is_a_restored_backup() -> None:
    with ApiServer(patience=0.05) as server:
        client = Client(server.access)
        for number in range(20):
            server.create(service(f"s{number}"))
        before = server.revision
        server.faults.restart(revision=10)
        listed = client.request("GET", SERVICES.path())
        assert listed["metadata"]["resourceVersion"] == "10"
        assert {int(item["metadata"]["resourceVersion"]) for item in listed["items"]} <= set(range(11))
        with pytest.raises(ApiError, match="Too large resource version"):
            client.request("GET", SERVICES.path(), resourceVersion=str(before))


def test_what_happens_while_the_server_is_down_is_seen_only_in_the_list(fake_api: ApiServer, client: Client) -> None:
    fake_api.create(service("gone"))
    fake_api.faults.refuse()
    fake_api.delete("Service", "default", "gone")
    fake_api.faults.restart(revision=fake_api.revision + 100)
    assert names(client.request("GET", SERVICES.path())) == ["kubernetes"]


def test_a_stranger_with_an_unknown_certificate(fake_api: ApiServer, client: Client) -> None:
    fake_api.faults.untrusted_certificate()
    with pytest.raises(ssl.SSLCertVerificationError):
        client.raw("GET", "/readyz")
    fake_api.faults.untrusted_certificate(False)
    assert client.raw("GET", "/readyz")[0] == 200


def test_closing_ends_every_watch_and_thread(fake_api: ApiServer) -> None:
    with connected(fake_api) as live, RawWatch(fake_api, SERVICES, resourceVersion="0") as other:
        fake_api.faults.break_watches("half-open")
        fake_api.faults.stall(resource="/readyz")
        stalled = Client(fake_api.access).connect()
        stalled.request("GET", "/readyz")
        fake_api.requests.wait(1, resource="/readyz")
        fake_api.close()
        assert fake_api.connection_count() == 0
        for watch in (live, other):
            with pytest.raises((http.client.HTTPException, OSError)):
                watch.response.read()
        stalled.close()
