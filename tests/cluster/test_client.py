"""Requests: who sends them, over which connections, how many, and how they are ended."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from pykubeproxy.cluster.api_error import Aborted, ApiError
from pykubeproxy.cluster.client import ApiClient, connect, user_agent
from pykubeproxy.cluster.connections import SOCKET_OPTIONS
from pykubeproxy.cluster.resources import SERVICES
from pykubeproxy.config.types import ClientConnection
from tests.apiserver.faults import Faults
from tests.apiserver.kubeconfig import Auth
from tests.apiserver.server import ApiServer
from tests.cluster.conftest import Connect

LATEST = {"resourceVersion": ""}


def to(path: Path, qps: float = -1, burst: int = 10) -> ApiClient:
    return connect(ClientConnection(kubeconfig=str(path), qps=qps, burst=burst))


@pytest.mark.parametrize("auth", ["token", "token-file", "exec", "client-certificate"])
def test_every_way_to_say_who_we_are(api: ApiServer, tmp_path: Path, auth: Auth) -> None:
    body = to(api.kubeconfig(tmp_path / "config", auth=auth)).session().get(SERVICES.path, {})
    assert msgspec.json.decode(body)["kind"] == "ServiceList"


def test_nobody_in_particular_is_refused(api: ApiServer, tmp_path: Path) -> None:
    session = to(api.kubeconfig(tmp_path / "config", auth="none")).session()
    with pytest.raises(ApiError, match=r"the API server answers 40[13]: "):
        session.get(SERVICES.path, {})


def test_in_cluster(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = api.service_account(tmp_path / "account")
    host, port = api.url.removeprefix("https://").rsplit(":", 1)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    module = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{module}.SERVICE_TOKEN_FILENAME", str(folder / "token"))
    monkeypatch.setattr(f"{module}.SERVICE_CERT_FILENAME", str(folder / "ca.crt"))
    assert connect(ClientConnection()).session().get(SERVICES.path, LATEST)


def test_an_unverified_server_if_that_is_what_somebody_wants(
    api: ApiServer, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = api.kubeconfig(tmp_path / "config")
    config = yaml.safe_load(path.read_text())
    config["clusters"][0]["cluster"] = {"server": api.url, "insecure-skip-tls-verify": True}
    path.write_text(yaml.safe_dump(config))
    assert to(path).session().get(SERVICES.path, LATEST)
    assert [str(warning.message) for warning in recwarn] == []


def test_the_user_agent_is_a_kube_proxys(api: ApiServer, connect_to: Connect) -> None:
    connect_to(api).session().get(SERVICES.path, {})
    assert api.requests.requests()[0].headers["user-agent"] == user_agent()
    assert re.fullmatch(r"kube-proxy/v\d+\.\d+\.\d+ \(linux/[a-z0-9_]+\) kubernetes/\S+", user_agent())


def test_connections_are_used_again_and_probed(api: ApiServer, connect_to: Connect) -> None:
    session = connect_to(api).session()
    session.get(SERVICES.path, {})
    session.get(SERVICES.path, {})
    (only,) = session._sockets._open
    for level, option, value in SOCKET_OPTIONS:
        assert only.getsockopt(level, option) == value


def test_the_limit_on_requests_is_shared_by_all_sessions(api: ApiServer, tmp_path: Path) -> None:
    client = to(api.kubeconfig(tmp_path / "config"), qps=10, burst=2)
    first, second = client.session(), client.session()
    begun = time.monotonic()
    for _ in range(3):
        first.get(SERVICES.path, {})
        second.get(SERVICES.path, {})
    last = api.requests.requests()[-1]
    assert last.at - begun >= 0.39, "two at once, and four more at ten in a second"


def test_an_answer_is_not_followed_elsewhere(api: ApiServer, faults: Faults, connect_to: Connect) -> None:
    faults.fail(302)
    with pytest.raises(ApiError, match="answers 302"):
        connect_to(api).session().get(SERVICES.path, {})
    assert api.requests.count() == 1


def test_nothing_is_sent_after_an_abort(api: ApiServer, connect_to: Connect) -> None:
    session = connect_to(api).session()
    session.abort()
    with pytest.raises(Aborted):
        session.get(SERVICES.path, {})
    assert api.requests.count() == 0


def test_a_token_with_a_line_break_inside_is_trouble(api: ApiServer, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path / "config")
    config = yaml.safe_load(path.read_text())
    config["users"][0]["user"] = {"token": "two\nlines"}
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(ApiError):
        to(path).session().get(SERVICES.path, {})


class Proxy:
    """An HTTP proxy that knows CONNECT and nothing else."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            head = near.recv(4096).decode()
            self.asked.append(head.split("\r\n", 1)[0])
            host, _, port = head.split()[1].rpartition(":")
            far = socket.create_connection((host, int(port)))
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with source, target:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    running = Proxy()
    yield running
    running.close()


@pytest.mark.parametrize("by", ["kubeconfig", "environment"])
def test_through_a_proxy(
    api: ApiServer, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    path = api.kubeconfig(tmp_path / "config")
    monkeypatch.setenv("NO_PROXY", "")
    if by == "kubeconfig":
        config = yaml.safe_load(path.read_text())
        config["clusters"][0]["cluster"]["proxy-url"] = proxy.url
        path.write_text(yaml.safe_dump(config))
    else:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    session = to(path).session()
    assert session.get(SERVICES.path, LATEST)
    (asked,) = proxy.asked
    assert asked.startswith(f"CONNECT {api.url.removeprefix('https://')} ")
    session.close()


def test_a_proxy_that_is_not_there(api: ApiServer, proxy: Proxy, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path / "config")
    config = yaml.safe_load(path.read_text())
    config["clusters"][0]["cluster"]["proxy-url"] = "http://127.0.0.1:1"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(ApiError, match=f"^the proxy before {api.url}: Connection refused$"):
        to(path).session().get(SERVICES.path, LATEST)
    assert proxy.asked == []


class Heard:
    """What an observer is told."""

    def __init__(self) -> None:
        self.answered: list[tuple[str, str, str]] = []
        self.took: list[tuple[str, str]] = []

    def api_answered(self, host: str, method: str, code: str) -> None:
        self.answered.append((host, method, code))

    def api_request_took(self, host: str, method: str, seconds: float) -> None:
        assert 0 <= seconds < 60
        self.took.append((host, method))


def test_an_observer_is_told_of_every_request(api: ApiServer, faults: Faults, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path / "config")
    heard = Heard()
    session = connect(ClientConnection(kubeconfig=str(path), qps=-1), observer=heard).session()
    session.get(SERVICES.path, {})
    session.watch(SERVICES.path, {"watch": "true"}).close()
    for status in (403, 500):
        faults.fail(status)
        with pytest.raises(ApiError):
            session.get(SERVICES.path, {})
    with pytest.raises(ApiError):
        session.post("/apis/events.k8s.io/v1/namespaces/default/events", {})
    faults.lose_answers()
    with pytest.raises(ApiError):
        session.get(SERVICES.path, {})
    host = api.url.removeprefix("https://")
    codes = (("GET", "200"), ("GET", "200"), ("GET", "403"), ("GET", "500"), ("POST", "422"), ("GET", "<error>"))
    assert heard.answered == [(host, *each) for each in codes]
    # As in client-go, not that of a watch: it says how long the watch was, not how slow the server is.
    assert heard.took == [(host, method) for method in ("GET", "GET", "GET", "POST", "GET")]


def test_a_password_in_the_address_is_not_part_of_the_host(api: ApiServer, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path / "config")
    path.write_text(path.read_text().replace("https://", "https://me:secret@"))
    heard = Heard()
    session = connect(ClientConnection(kubeconfig=str(path), qps=-1), observer=heard).session()
    session.get(SERVICES.path, {})
    assert heard.took == [(api.url.removeprefix("https://"), "GET")]
