"""Only the modules of the official client that are used are imported, and nobody else notices."""

import base64
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pykubeproxy.cluster import official_client
from pykubeproxy.cluster.access import find_access

TWICE = """
import sys
from pykubeproxy.cluster.official_client import part, whole
client = part()
import kubernetes, requests_oauthlib
assert requests_oauthlib.OAuth2Session.__init__
assert kubernetes.client.ApiClient and kubernetes.config.load_kube_config
assert client.kube_config.ApiClient is not kubernetes.client.ApiClient
assert whole().kube_config is kubernetes.config.kube_config is not client.kube_config
"""


def test_whoever_imports_the_package_afterwards_gets_all_of_it() -> None:
    subprocess.run([sys.executable, "-c", TWICE], check=True)


def test_a_version_that_cannot_be_imported_in_part_is_imported_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    official_client.part.cache_clear()
    monkeypatch.setattr(official_client, "_NEVER_CALLED", {"kubernetes.client": "Missing"})
    try:
        assert official_client.part() is official_client.whole()
    finally:
        official_client.part.cache_clear()
    assert importlib.import_module("kubernetes").client.ApiClient


def test_an_auth_provider_is_left_to_the_whole_client(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 4_000_000_000}).encode()).decode().rstrip("=")
    provider = {"name": "oidc", "config": {"id-token": f"e30.{claims}.x", "refresh-token": "r", "client-id": "c"}}
    kubeconfig = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1"}}],
        "users": [{"name": "u", "user": {"auth-provider": provider}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig))
    access = find_access(str(tmp_path / "config"), "")
    assert access.credentials().authorization == f"Bearer e30.{claims}.x"
