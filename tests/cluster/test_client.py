"""Requests: who sends them, over which connections, how many, and how they are ended."""

import re
import time

import pytest

from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.client import Session, user_agent
from pykubeproxy.cluster.connections import SOCKET_OPTIONS
from pykubeproxy.cluster.limiter import Limiter
from pykubeproxy.cluster.resources import SERVICES
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
