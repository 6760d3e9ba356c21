from __future__ import annotations

import socket
import ssl

import msgspec
import pytest

from tests.apiserver import patches
from tests.apiserver.client import Client
from tests.apiserver.errors import ApiError
from tests.apiserver.resources import ENDPOINT_SLICES, SERVICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice, service


@pytest.fixture
def client(fake_api: ApiServer) -> Client:
    return Client(fake_api.access)


def test_health_version_and_discovery(client: Client) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/readyz/ping"):
        assert client.raw("GET", path) == (200, b"ok")
    assert client.request("GET", "/version")["gitVersion"] == "v1.36.2"
    assert client.request("GET", "/api")["versions"] == ["v1"]
    groups = [group["name"] for group in client.request("GET", "/apis")["groups"]]
    assert groups == ["discovery.k8s.io", "events.k8s.io", "networking.k8s.io"]
    served = client.request("GET", "/api/v1")["resources"]
    assert {"services", "services/status", "nodes", "nodes/status"} <= {entry["name"] for entry in served}
    assert client.request("GET", "/apis/discovery.k8s.io")["preferredVersion"]["version"] == "v1"


def test_create_read_change_delete_over_http(client: Client) -> None:
    path = SERVICES.path("default", "web")
    code, body = client.raw("POST", SERVICES.path("default"), service("web"))
    assert (code, Client.decode(body)["kind"]) == (201, "Service")
    assert client.request("GET", path)["metadata"]["name"] == "web"
    patched = client.patch(path, {"metadata": {"labels": {"a": "b"}}}, patches.STRATEGIC)
    assert patched["metadata"]["labels"] == {"a": "b"}
    patched = client.patch(f"{path}/status", {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
    assert patched["status"]["loadBalancer"]["ingress"]
    assert client.request("DELETE", path)["kind"] == "Service"
    with pytest.raises(ApiError, match="not found"):
        client.request("GET", path)


def test_deleting_a_slice_answers_with_a_status(fake_api: ApiServer, client: Client) -> None:
    created = fake_api.create(endpoint_slice("web", "10.244.0.5"))
    path = ENDPOINT_SLICES.path("default", "web")
    with pytest.raises(ApiError, match="precondition"):
        client.request("DELETE", path, {"kind": "DeleteOptions", "preconditions": {"uid": "another"}})
    status = client.request("DELETE", path)
    assert (status["kind"], status["status"]) == ("Status", "Success")
    assert status["details"]["uid"] == created["metadata"]["uid"]


def test_deleting_a_collection(fake_api: ApiServer, client: Client) -> None:
    for name in ("a", "b"):
        fake_api.create(service(name, labels={"name": name}))
    listed = client.request("DELETE", SERVICES.path("default"), labelSelector="name=a")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
    assert {obj["metadata"]["name"] for obj in fake_api.objects("Service")} == {"kubernetes", "b"}


def test_put_creates_services_but_not_slices(client: Client) -> None:
    assert client.raw("PUT", SERVICES.path("default", "web"), service("web"))[0] == 201
    assert client.raw("PUT", ENDPOINT_SLICES.path("default", "web"), endpoint_slice("web", "10.0.0.1"))[0] == 404


def test_apply_creates_and_merges(client: Client) -> None:
    path = SERVICES.path("default", "web")
    assert client.raw("PATCH", path, service("web"), patches.APPLY)[0] == 201
    changed = client.patch(path, service("web", sessionAffinity="ClientIP"), patches.APPLY)
    assert changed["spec"]["sessionAffinity"] == "ClientIP"


def test_generated_names(client: Client) -> None:
    obj = service("")
    obj["metadata"] = {"generateName": "web-"}
    name = client.request("POST", SERVICES.path("default"), obj)["metadata"]["name"]
    assert name.startswith("web-")
    assert len(name) == 9


@pytest.mark.parametrize(
    ("request_line", "body", "code", "reason"),
    [
        ("GET /api/v1/pods", None, 404, "NotFound"),
        ("GET /nothing", None, 404, "NotFound"),
        ("GET /api/v1/namespaces/default/services/none", None, 404, "NotFound"),
        ("PUT /api/v1/namespaces/default/services", service("a"), 405, "MethodNotAllowed"),
        ("POST /api/v1/services", service("a"), 405, "MethodNotAllowed"),
        ("POST /api/v1/namespaces/default/services", [1], 400, "BadRequest"),
        ("POST /api/v1/namespaces/default/services", endpoint_slice("a"), 400, "BadRequest"),
        ("POST /api/v1/namespaces/other/services", service("a"), 400, "BadRequest"),
        ("POST /api/v1/namespaces/default/services", service("Not A Name"), 422, "Invalid"),
        ("PUT /api/v1/namespaces/default/services/b", service("a"), 400, "BadRequest"),
    ],
)
def test_failures_have_a_status_body(client: Client, request_line: str, body: object, code: int, reason: str) -> None:
    method, path = request_line.split()
    got, answer = client.raw(method, path, body)
    status = Client.decode(answer)
    assert (got, status["kind"], status["status"], status["code"]) == (code, "Status", "Failure", code)
    assert status["reason"] == reason
    assert status["message"]


def test_forms_that_are_not_served(client: Client, fake_api: ApiServer) -> None:
    path = SERVICES.path("default")
    assert client.raw("POST", path, service("a"), "application/vnd.kubernetes.protobuf")[0] == 415
    assert client.raw("PATCH", SERVICES.path("default", "kubernetes"), {}, "application/json")[0] == 415
    connection = client.connect()
    headers = {"Authorization": f"Bearer {fake_api.access.token}", "Accept": "application/vnd.kubernetes.protobuf"}
    connection.request("GET", path, headers=headers)
    assert connection.getresponse().status == 406
    connection.close()


def test_one_connection_serves_many_requests(client: Client, fake_api: ApiServer) -> None:
    connection = client.connect()
    for _ in range(3):
        connection.request("GET", SERVICES.path(), headers={"Authorization": f"Bearer {fake_api.access.token}"})
        assert connection.getresponse().read().startswith(b'{"kind":"ServiceList"')
    connection.close()


def test_what_is_no_http_does_no_harm(client: Client) -> None:
    for data in (b"\x16\x03garbage", b"GET\r\n\r\n", b"\x00" * 100):
        connection = client.connect()
        connection.connect()
        assert isinstance(connection.sock, socket.socket)
        connection.sock.sendall(data)
        connection.close()
    assert client.raw("GET", "/readyz")[0] == 200


def test_plain_http_and_ipv6() -> None:
    with ApiServer(tls=False) as plain:
        assert plain.url.startswith("http://")
        assert Client(plain.access).raw("GET", "/readyz")[0] == 200
    with ApiServer(host="::1") as six:
        assert six.url.startswith("https://[::1]:")
        assert Client(six.access).raw("GET", "/readyz")[0] == 200


def test_the_certificate_is_checked_by_clients(fake_api: ApiServer) -> None:
    address = ("127.0.0.1", int(fake_api.url.rsplit(":", 1)[1]))
    context = ssl.create_default_context()
    with (
        socket.create_connection(address, timeout=10) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
        context.wrap_socket(plain, server_hostname="127.0.0.1"),
    ):
        pass


def test_yaml_bodies_are_taken(fake_api: ApiServer, client: Client) -> None:
    connection = client.connect()
    body = b"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"
    headers = {"Authorization": f"Bearer {fake_api.access.token}", "Content-Type": "application/yaml"}
    connection.request("POST", "/api/v1/nodes", body, headers)
    response = connection.getresponse()
    assert (response.status, msgspec.json.decode(response.read())["metadata"]["name"]) == (201, "n1")
    connection.close()
