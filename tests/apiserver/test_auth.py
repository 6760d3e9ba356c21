from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.apiserver import kubeconfig
from tests.apiserver.client import Client
from tests.apiserver.cluster import Cluster
from tests.apiserver.kubeconfig import Auth
from tests.apiserver.resources import SERVICES
from tests.apiserver.server import ApiServer
from tests.apiserver.testing import RawWatch, official, official_connection, service


def core(path: Path) -> Any:
    return official.CoreV1Api(official_connection(path))


def with_token(api: Cluster, token: str) -> Client:
    return Client(msgspec.structs.replace(api.access, token=token))


def test_without_a_valid_token_there_is_nothing(api: Cluster) -> None:
    code, body = with_token(api, "wrong").raw("GET", SERVICES.path())
    status = Client.decode(body)
    assert (code, status["reason"], status["message"]) == (401, "Unauthorized", "Unauthorized")


def test_no_token_at_all_opens_only_the_public_paths(fake_api: ApiServer) -> None:
    connection = Client(fake_api.access).connect()
    for path, code in ((SERVICES.path(), 401), ("/apis", 401), ("/readyz", 200), ("/version", 200)):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert response.status == code, path
    connection.close()


def test_a_wrong_token_is_refused_even_for_public_paths(fake_api: ApiServer) -> None:
    assert with_token(fake_api, "wrong").raw("GET", "/readyz")[0] == 401


def test_a_rotated_token_replaces_the_old_one_but_not_under_a_watch(fake_api: ApiServer) -> None:
    old = Client(fake_api.access)
    with RawWatch(fake_api, SERVICES, resourceVersion=str(fake_api.revision)) as watch:
        fake_api.wait_watchers(1)
        fake_api.rotate_token()
        assert old.raw("GET", SERVICES.path())[0] == 401
        assert Client(fake_api.access).raw("GET", SERVICES.path())[0] == 200
        fake_api.create(service("web"))
        assert watch.events(1) == [("ADDED", "web")]


def test_the_old_token_may_stay_valid_for_a_while(fake_api: ApiServer) -> None:
    old = Client(fake_api.access)
    fake_api.rotate_token(keep_old=True)
    assert old.raw("GET", SERVICES.path())[0] == 200


@pytest.mark.parametrize("auth", ["token", "token-file", "exec", "client-certificate"])
def test_the_official_client_gets_in(api: Cluster, tmp_path: Path, auth: Auth) -> None:
    path = api.kubeconfig(tmp_path / "kubeconfig", auth=auth)
    listed = core(path).list_service_for_all_namespaces()
    assert "kubernetes" in [item.metadata.name for item in listed.items]


def test_a_kubeconfig_without_credentials_does_not(api: Cluster, tmp_path: Path) -> None:
    with pytest.raises(official.ApiException) as caught:
        core(api.kubeconfig(tmp_path / "kubeconfig", auth="none")).list_service_for_all_namespaces()
    assert caught.value.status in (401, 403)


def test_a_rotated_token_file_lets_a_new_client_in(fake_api: ApiServer, tmp_path: Path) -> None:
    path = fake_api.kubeconfig(tmp_path / "kubeconfig", auth="token-file")
    kubeconfig.write_token(path, fake_api.rotate_token(), "token-file")
    assert core(path).list_service_for_all_namespaces().items


def test_files_with_credentials_are_private(api: Cluster, tmp_path: Path) -> None:
    path = api.kubeconfig(tmp_path / "kubeconfig", auth="exec")
    assert [each.stat().st_mode & 0o077 for each in (path, tmp_path / "kubeconfig.credential")] == [0, 0]


def test_the_service_account_folder(api: Cluster, tmp_path: Path) -> None:
    folder = api.service_account(tmp_path / "serviceaccount")
    assert (folder / "token").read_text() == api.access.token
    assert (folder / "ca.crt").read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
    assert (folder / "namespace").read_text() == "kube-system"
