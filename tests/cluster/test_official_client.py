"""Only the modules of the official client that are used are imported, and nobody else notices."""

import importlib
import subprocess
import sys

import pytest

from pykubeproxy.cluster import official_client

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
