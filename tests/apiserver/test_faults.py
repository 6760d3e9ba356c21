from __future__ import annotations

import http.client
import time

import msgspec
import pytest

from tests.apiserver.client import Client
from tests.apiserver.errors import ApiError
from tests.apiserver.faults import BREAK_KINDS, BreakKind, Faults
from tests.apiserver.resources import ENDPOINT_SLICES, SERVICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import RawWatch, endpoint_slice, service


@pytest.fixture
def client(fake_api: ApiServer) -> Client:
    return Client(fake_api.access)


def connected(fake_api: ApiServer) -> RawWatch:
    watch = RawWatch(fake_api, SERVICES, resourceVersion=str(fake_api.revision))
    fake_api.wait_watchers(1)
    return watch


def test_failures_hit_the_next_requests_only(client: Client, faults: Faults) -> None:
    faults.fail(503, count=2)
    answers = [client.raw("GET", SERVICES.path()) for _ in range(3)]
    assert [code for code, _ in answers] == [503, 503, 200]
    assert Client.decode(answers[0][1])["reason"] == "ServiceUnavailable"


def test_too_many_requests_say_when_to_come_back(client: Client, faults: Faults) -> None:
    faults.fail(429, retry_after=2)
    connection = client.connect()
    connection.request("GET", SERVICES.path())
    response = connection.getresponse()
    assert (response.status, response.headers["Retry-After"]) == (429, "2")
    assert response.headers["Content-Type"].startswith("text/plain")
    response.read()
    connection.close()


def test_a_failure_can_be_meant_for_one_verb_of_one_resource(client: Client, faults: Faults) -> None:
    faults.fail(500, verb="list", resource="endpointslices")
    faults.fail(500, resource="/readyz")
    assert client.raw("GET", SERVICES.path())[0] == 200
    assert client.raw("GET", "/healthz")[0] == 200
    assert client.raw("GET", ENDPOINT_SLICES.path())[0] == 500
    assert client.raw("GET", "/readyz")[0] == 500


def test_a_proxy_may_answer_instead(client: Client, faults: Faults) -> None:
    faults.fail(502, body="<html>Bad Gateway</html>")
    assert client.raw("GET", SERVICES.path()) == (502, b"<html>Bad Gateway</html>")


def test_failures_until_cleared(client: Client, faults: Faults) -> None:
    faults.fail(500, count=None)
    assert [client.raw("GET", SERVICES.path())[0] for _ in range(3)] == [500] * 3
    faults.clear()
    assert client.raw("GET", SERVICES.path())[0] == 200


def test_delay(client: Client, faults: Faults) -> None:
    faults.delay(150, verb="list")
    start = time.monotonic()
    assert client.raw("GET", SERVICES.path())[0] == 200
    assert time.monotonic() - start >= 0.15


def test_a_stalled_request_is_never_answered(client: Client, faults: Faults) -> None:
    faults.stall(resource="services")
    connection = client.connect()
    connection.timeout = 0.2
    connection.request("GET", SERVICES.path())
    with pytest.raises(TimeoutError):
        connection.getresponse()
    assert client.raw("GET", ENDPOINT_SLICES.path())[0] == 200
    faults.clear()
    assert client.raw("GET", SERVICES.path())[0] == 200
    connection.close()


def test_a_truncated_answer(client: Client, faults: Faults) -> None:
    faults.truncate(verb="list")
    with pytest.raises(http.client.IncompleteRead):
        client.raw("GET", SERVICES.path())
    assert client.raw("GET", SERVICES.path())[0] == 200


def test_a_trickle_arrives_in_the_end(fake_api: ApiServer, client: Client) -> None:
    with connected(fake_api) as watch:
        fake_api.faults.trickle(size=7, interval=0)
        fake_api.create(service("web"))
        assert watch.events(1) == [("ADDED", "web")]
    assert client.raw("GET", SERVICES.path())[0] == 200


def test_end(fake_api: ApiServer) -> None:
    with connected(fake_api) as watch:
        assert fake_api.faults.break_watches("end") == 1
        assert watch.line() == b""


def test_close(fake_api: ApiServer) -> None:
    with connected(fake_api) as watch:
        fake_api.faults.break_watches("close")
        with pytest.raises((http.client.IncompleteRead, OSError)):
            watch.response.read()


def test_reset() -> None:
    with ApiServer(tls=False) as server, connected(server) as watch:
        server.faults.break_watches("reset")
        with pytest.raises(ConnectionResetError):
            watch.response.read()


def test_garbage(fake_api: ApiServer) -> None:
    with connected(fake_api) as watch:
        fake_api.faults.break_watches("garbage")
        line = watch.line()
        assert line.endswith(b"\n")
        with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
            msgspec.json.decode(line)
        assert watch.line() == b""


def test_truncate(fake_api: ApiServer) -> None:
    with connected(fake_api) as watch:
        fake_api.faults.break_watches("truncate")
        line = watch.line()
        assert line.startswith(b'{"type":"MODIFIED","object":{"kind":"Service"')
        assert not line.endswith(b"\n")
        assert watch.line() == b""


@pytest.mark.parametrize(("how", "code", "reason"), [("expired", 410, "Expired"), ("error", 500, "InternalError")])
def test_error_events(fake_api: ApiServer, how: BreakKind, code: int, reason: str) -> None:
    with connected(fake_api) as watch:
        fake_api.faults.break_watches(how)
        kind, status = watch.event()
        assert (kind, status["code"], status["reason"]) == ("ERROR", code, reason)
        assert watch.line() == b""


def test_half_open(fake_api: ApiServer, client: Client) -> None:
    with connected(fake_api) as watch:
        fake_api.faults.half_open()
        assert fake_api.watcher_count() == 0
        fake_api.create(service("web"))
        assert watch.silent()
        with RawWatch(fake_api, SERVICES, resourceVersion="0") as late:
            assert late.response.status == 200
            assert late.silent()
        assert client.raw("GET", SERVICES.path())[0] == 200, "only watches fall silent"
        fake_api.faults.clear()
        with RawWatch(fake_api, SERVICES, resourceVersion="0") as fresh:
            assert len(fresh.events(2)) == 2
        assert watch.silent(), "a watch that has fallen silent stays so"


def test_what_happened_before_a_break_is_sent_and_what_happens_after_is_not(fake_api: ApiServer) -> None:
    for number in range(50):
        with RawWatch(fake_api, SERVICES, resourceVersion=str(fake_api.revision)) as watch:
            fake_api.wait_watchers(1)
            fake_api.create(service(f"before-{number}"))
            fake_api.faults.break_watches("end")
            fake_api.create(service(f"after-{number}"))
            assert watch.events(1) == [("ADDED", f"before-{number}")]
            assert watch.line() == b""


@pytest.mark.parametrize("how", BREAK_KINDS)
def test_the_next_watches_break_after_some_lines(fake_api: ApiServer, how: BreakKind) -> None:
    for name in ("a", "b", "c"):
        fake_api.create(endpoint_slice(name, "10.244.0.5"))
    fake_api.faults.break_next_watches(how, after=2, resource="endpointslices")
    with RawWatch(fake_api, ENDPOINT_SLICES) as broken:
        assert broken.events(2) == [("ADDED", "a"), ("ADDED", "b")]
    with RawWatch(fake_api, ENDPOINT_SLICES) as whole:
        assert len(whole.events(3)) == 3


def test_a_break_can_wait_for_later_events(fake_api: ApiServer) -> None:
    fake_api.faults.break_next_watches("end", after=2)
    with RawWatch(fake_api, ENDPOINT_SLICES) as watch:
        fake_api.wait_watchers(1)
        for name in ("a", "b", "c"):
            fake_api.create(endpoint_slice(name, "10.244.0.5"))
        assert len(watch.events(2)) == 2
        assert watch.line() == b""


def test_breaks_can_be_meant_for_one_resource(fake_api: ApiServer) -> None:
    now = str(fake_api.revision)
    with (
        RawWatch(fake_api, SERVICES, resourceVersion=now) as services,
        RawWatch(fake_api, ENDPOINT_SLICES, resourceVersion=now) as slices,
    ):
        fake_api.wait_watchers(2)
        assert fake_api.faults.break_watches("end", resource="endpointslices") == 1
        assert slices.line() == b""
        fake_api.create(service("web"))
        assert services.events(1) == [("ADDED", "web")]


def test_an_unknown_way_to_break_is_named(faults: Faults) -> None:
    with pytest.raises(ValueError, match="'explode' is no way to break a watch: one of end, close"):
        faults.break_watches("explode")  # type: ignore[arg-type]


def test_faults_do_not_excuse_from_authentication(fake_api: ApiServer) -> None:
    stranger = Client(msgspec.structs.replace(fake_api.access, token="wrong"))
    with pytest.raises(ApiError, match="Unauthorized"):
        stranger.request("GET", SERVICES.path())
