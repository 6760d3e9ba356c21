"""Whom we believe to be the API server: the one whose certificate our authority signed, for this address, for now."""

from pathlib import Path

import pytest

from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.client import connect
from pykubeproxy.cluster.resources import SERVICES
from pykubeproxy.config.types import ClientConnection
from tests.apiserver.faults import Faults
from tests.apiserver.server import ApiServer
from tests.cluster.certificates import EXPIRED, NOT_YET, OTHER, OWN, VALID, present


def get(kubeconfig: Path) -> bytes:
    return connect(ClientConnection(kubeconfig=str(kubeconfig), qps=-1)).session().get(SERVICES.path, {})


def edited(kubeconfig: Path, old: str, new: str) -> Path:
    text = kubeconfig.read_text()
    assert old in text
    kubeconfig.write_text(text.replace(old, new))
    return kubeconfig


def test_a_good_one_is_accepted(api: ApiServer, tmp_path: Path) -> None:
    assert get(present(api, tmp_path, period=VALID, names=OWN))


@pytest.mark.parametrize(
    ("period", "names", "usage", "reason"),
    [
        (EXPIRED, OWN, "serverAuth", "certificate has expired"),
        (NOT_YET, OWN, "serverAuth", "certificate is not yet valid"),
        (VALID, OTHER, "serverAuth", "IP address mismatch, certificate is not valid for '127.0.0.1'."),
        (VALID, OWN, "clientAuth", "unsuitable certificate purpose"),
    ],
    ids=["expired", "not-yet-valid", "wrong-address", "of-a-client"],
)
def test_a_bad_one_is_refused_and_nothing_is_said_to_it(  # noqa: PLR0917
    api: ApiServer, tmp_path: Path, period: tuple[str, str], names: str, usage: str, reason: str
) -> None:
    kubeconfig = present(api, tmp_path, period=period, names=names, usage=usage)
    with pytest.raises(ApiError) as caught:
        get(kubeconfig)
    assert str(caught.value) == f"{api.url}: its certificate is not accepted: {reason}"
    assert api.requests.count() == 0, "no token was shown"


def test_an_untrusted_one_is_refused(api: ApiServer, faults: Faults, tmp_path: Path) -> None:
    faults.untrusted_certificate()
    with pytest.raises(ApiError, match="its certificate is not accepted: "):
        get(api.kubeconfig(tmp_path / "kubeconfig"))
    assert api.requests.count() == 0


def test_one_is_not_trusted_because_the_kubeconfig_names_no_authority(api: ApiServer, tmp_path: Path) -> None:
    kubeconfig = edited(api.kubeconfig(tmp_path / "kubeconfig"), "certificate-authority-data", "ignored")
    with pytest.raises(ApiError, match="its certificate is not accepted: "):
        get(kubeconfig)
    assert api.requests.count() == 0


def test_a_wrong_host_name_is_refused_and_tls_server_name_says_which_is_right(api: ApiServer, tmp_path: Path) -> None:
    kubeconfig = present(api, tmp_path, period=VALID, names="DNS:api.example,IP:127.0.0.9")
    edited(kubeconfig, f"server: {api.url}", f"server: {api.url}\n    tls-server-name: other.example")
    with pytest.raises(ApiError, match=r"Hostname mismatch, certificate is not valid for 'other.example'"):
        get(kubeconfig)
    assert api.requests.count() == 0
    assert get(edited(kubeconfig, "other.example", "api.example"))
