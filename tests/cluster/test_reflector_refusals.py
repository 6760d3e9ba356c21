"""Answers that are no success, and servers that cannot be reached: wait, say why, and go on when it is over."""

from pathlib import Path

import pytest

from pykubeproxy.cluster.client import connect
from pykubeproxy.config.types import ClientConnection
from tests.apiserver.faults import Faults
from tests.apiserver.kubeconfig import Auth, write_token
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import endpoint_slice
from tests.cluster.following import BACKOFF, Follow, Following, wait_until


def error_of(told: Following, text: str) -> str:
    """Wait for trouble that has this text in it; return it whole."""
    wait_until(lambda: text in str(told.reflector.error), text)
    return str(told.reflector.error)


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("can_stream", [True, False])
def test_a_list_that_is_refused_is_asked_for_until_it_comes(
    api: ApiServer, faults: Faults, follow: Follow, status: int, *, can_stream: bool
) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    faults.fail(status, count=None)
    told = follow(api, can_stream=can_stream)
    error_of(told, f"the API server answers {status}: ")
    assert api.requests.wait(3)
    assert not told.listed
    faults.clear()
    assert told.wait_listed().names() == {"a"}
    wait_until(lambda: told.reflector.error is None, "the end of the trouble")


@pytest.mark.parametrize("status", [400, 401, 403, 422, 429, 500, 503, 504])
def test_a_watch_that_is_refused_is_asked_for_until_it_comes(
    api: ApiServer, faults: Faults, follow: Follow, status: int
) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    told = follow(api).wait_listed()
    api.wait_watchers(1)
    faults.fail(status, count=3, verb="watch")
    faults.break_watches("end")
    api.create(endpoint_slice("b", "10.244.0.6"))
    told.wait_names("a", "b")
    assert told.removed == []


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(api: ApiServer, faults: Faults, follow: Follow, status: int) -> None:
    faults.fail(status, count=2, retry_after=1)
    follow(api).wait_listed()
    _, first, second = api.requests.requests()[:3]
    assert 1.0 <= second.at - first.at < 5.0


def test_a_refusal_names_the_permissions_that_are_needed(api: ApiServer, faults: Faults, follow: Follow) -> None:
    faults.fail(403, count=None)
    error = error_of(follow(api), "403")
    assert error.startswith("RBAC has to allow list and watch on endpointslices.discovery.k8s.io: ")


@pytest.mark.parametrize("body", ["<html>busy</html>", "{}", '{"kind":"Status"', "[]", ""])
@pytest.mark.parametrize("code", [200, 500])
def test_an_answer_of_another_kind_is_trouble_and_no_list(
    api: ApiServer, faults: Faults, follow: Follow, code: int, body: str
) -> None:
    api.create(endpoint_slice("a", "10.244.0.5"))
    faults.fail(code, count=3, body=body)
    told = follow(api, can_stream=False).wait_listed()
    assert told.names() == {"a"}


def test_a_list_that_is_cut_off_is_asked_for_again(api: ApiServer, faults: Faults, follow: Follow) -> None:
    for number in range(10):
        api.create(endpoint_slice(f"s{number}", "10.244.0.5"))
    faults.truncate(count=2, verb="list")
    assert follow(api, can_stream=False).wait_listed().objects_when_listed == 10
    assert api.requests.count("list") == 3


def test_refused_connections(api: ApiServer, faults: Faults, follow: Follow) -> None:
    faults.refuse()
    told = follow(api)
    assert error_of(told, "refused") == f"{api.url}: Connection refused"
    faults.accept()
    told.wait_listed()


def test_a_certificate_that_nobody_vouches_for(api: ApiServer, faults: Faults, follow: Follow) -> None:
    faults.untrusted_certificate()
    told = follow(api)
    assert error_of(told, "certificate").startswith(f"{api.url}: its certificate is not accepted: ")
    assert api.requests.count() == 0, "nothing was said to the stranger, and no token shown"
    faults.untrusted_certificate(on=False)
    told.wait_listed()


def test_a_name_that_does_not_exist(tmp_path: Path, follow: Follow) -> None:
    path = tmp_path / "config"
    path.write_text(
        "{current-context: c, contexts: [{name: c, context: {cluster: c}}],"
        " clusters: [{name: c, cluster: {server: 'https://api.invalid:6443'}}]}"
    )
    client = connect(ClientConnection(kubeconfig=str(path), qps=-1), backoff=BACKOFF)
    told = follow.through(client)
    assert error_of(told, "name").startswith("https://api.invalid:6443: the name cannot be resolved: ")


@pytest.mark.parametrize("auth", ["token-file", "exec"])
def test_a_token_that_was_rotated_is_read_again(
    api: ApiServer, faults: Faults, follow: Follow, tmp_path: Path, auth: Auth
) -> None:
    path = api.kubeconfig(tmp_path / "config", auth=auth)
    told = follow.through(connect(ClientConnection(kubeconfig=str(path), qps=-1), backoff=BACKOFF)).wait_listed()
    api.wait_watchers(1)
    write_token(path, api.rotate_token(), auth)
    faults.break_watches("end")
    api.create(endpoint_slice("a", "10.244.0.5"))
    told.wait_names("a")
    assert told.removed == []


def test_a_server_that_never_answers_is_given_up(api: ApiServer, faults: Faults, follow: Follow) -> None:
    faults.stall()
    told = follow(api)
    error_of(told, "no answer in time")
    faults.clear()
    told.wait_listed()
