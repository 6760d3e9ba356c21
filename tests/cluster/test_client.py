"""Requests: who sends them, over which connections, how many, and how they are ended."""

import re
import time
from pathlib import Path

import pytest

from pykubeproxy.cluster.api_error import Aborted, ApiError
from pykubeproxy.cluster.client import Session, connect, user_agent
from pykubeproxy.cluster.connections import SOCKET_OPTIONS
from pykubeproxy.cluster.limiter import Limiter
from pykubeproxy.cluster.resources import SERVICES
from pykubeproxy.config.types import ClientConnection
from tests.apiserver.faults import Faults
from tests.apiserver.kubeconfig import Auth
from tests.apiserver.server import ApiServer
from tests.cluster.conftest import Connect


def get(session: Session) -> bytes:
    return session.get(SERVICES.path, {})


@pytest.mark.parametrize("auth", ["token", "token-file", "exec", "client-certificate"])
def test_every_way_to_say_who_we_are(api: ApiServer, connect_to: Connect, auth: Auth) -> None:
    """As a kube-proxy does."""
    assert b'"ServiceList"' in get(connect_to(api, auth=auth).session())
    assert api.requests.requests()[0].headers["user-agent"] == user_agent()
    assert re.fullmatch(r"kube-proxy/v\d+\.\d+\.\d+ \(linux/[a-z0-9_]+\) kubernetes/\S+", user_agent())


def test_an_unverified_server_if_that_is_what_somebody_wants(
    api: ApiServer, connect_to: Connect, recwarn: pytest.WarningsRecorder
) -> None:
    cluster = {"certificate-authority-data": None, "insecure-skip-tls-verify": True}
    assert get(connect_to(api, cluster=cluster).session())
    assert [str(warning.message) for warning in recwarn] == []


def test_connections_are_used_again_and_probed(api: ApiServer, connect_to: Connect) -> None:
    session = connect_to(api).session()
    get(session)
    get(session)
    (only,) = session._sockets._open
    for level, option, value in SOCKET_OPTIONS:
        assert only.getsockopt(level, option) == value


def test_the_limit_on_requests_is_shared_by_all_sessions(api: ApiServer, connect_to: Connect) -> None:
    client = connect_to(api, qps=10, burst=2)
    sessions = client.session(), client.session()
    begun = time.monotonic()
    for number in range(6):
        get(sessions[number % 2])
    assert api.requests.requests()[-1].at - begun >= 0.39, "two at once, and four more at ten in a second"


def test_a_burst_at_once_and_no_more_than_one_is_saved_up() -> None:
    now = [0.0]
    limiter = Limiter(5, 2, clock=lambda: now[0])
    for now[0] in (0.0, 0.6, 1000.0):
        assert [limiter.reserve() for _ in range(3)] == [0, 0, pytest.approx(0.2)]
    assert {Limiter(-1, 1, clock=lambda: 0.0).reserve() for _ in range(100)} == {0.0}, "a negative rate is no limit"


def test_an_answer_is_not_followed_elsewhere(api: ApiServer, faults: Faults, connect_to: Connect) -> None:
    faults.fail(302)
    with pytest.raises(ApiError, match="answers 302"):
        get(connect_to(api).session())
    assert api.requests.count() == 1


def test_nothing_is_sent_after_an_abort(api: ApiServer, connect_to: Connect) -> None:
    session = connect_to(api).session()
    session.abort()
    with pytest.raises(Aborted):
        get(session)
    assert api.requests.count() == 0


def test_a_token_with_a_line_break_inside_is_trouble(api: ApiServer, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path / "config")
    path.write_text(path.read_text().replace(api.access.token, '"two\\nlines"'))
    with pytest.raises(ApiError):
        get(connect(ClientConnection(kubeconfig=str(path), qps=-1)).session())


@pytest.mark.parametrize("by", ["kubeconfig", "environment"])
def test_requests_go_to_the_proxy(
    api: ApiServer, connect_to: Connect, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """To one that is not there, which is told."""
    proxy = "http://127.0.0.1:1"
    monkeypatch.setenv("NO_PROXY", "")
    if by == "environment":
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ApiError, match=f"^the proxy before {api.url}: Connection refused$"):
        get(connect_to(api, cluster={"proxy-url": proxy} if by == "kubeconfig" else {}).session())


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


def test_an_observer_is_told_of_every_request(api: ApiServer, faults: Faults, connect_to: Connect) -> None:
    heard = Heard()
    cluster = {"server": api.url.replace("https://", "https://me:secret@")}
    session = connect_to(api, cluster=cluster, observer=heard).session()
    get(session)
    session.watch(SERVICES.path, {"watch": "true"}).close()
    for status in (403, 500):
        faults.fail(status)
        with pytest.raises(ApiError):
            get(session)
    with pytest.raises(ApiError):
        session.post("/apis/events.k8s.io/v1/namespaces/default/events", {})
    faults.refuse()
    with pytest.raises(ApiError):
        get(session)
    host = api.url.removeprefix("https://")
    codes = (("GET", "200"), ("GET", "200"), ("GET", "403"), ("GET", "500"), ("POST", "422"), ("GET", "<error>"))
    assert heard.answered == [(host, *each) for each in codes], "the password is not part of the host"
    # As in client-go, not that of a watch: it says how long the watch was, not how slow the server is.
    assert heard.took == [(host, method) for method in ("GET", "GET", "GET", "POST", "GET")]
