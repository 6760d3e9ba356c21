"""Whom we believe to be the API server: the one whose certificate our authority signed, for this address, for now."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.client import connect
from pykubeproxy.cluster.resources import SERVICES
from pykubeproxy.config.types import ClientConnection
from tests.apiserver import kubeconfig, pki
from tests.apiserver.pki import VALID
from tests.apiserver.server import ApiServer

OWN, OTHER = "IP:127.0.0.1", "IP:127.0.0.9,DNS:api.example"
EXPIRED = ("20200101000000Z", "20200102000000Z")
NOT_YET = ("20491230000000Z", "20491231000000Z")


def get(api: ApiServer, folder: Path, certificates: pki.Pki | None = None, **cluster: Any) -> bytes:
    """Ask a server that presents these certificates, and trust the authority that they say is theirs."""
    if certificates is not None:
        api.faults.present(certificates)
    access = replace(api.access, pki=certificates or api.access.pki)
    path = kubeconfig.write(folder / "kubeconfig", access, cluster=cluster)
    return connect(ClientConnection(kubeconfig=str(path), qps=-1)).session().get(SERVICES.path, {})


@pytest.mark.parametrize(
    ("certificates", "cluster", "reason"),
    [
        ({"names": OWN, "period": EXPIRED}, {}, "certificate has expired"),
        ({"names": OWN, "period": NOT_YET}, {}, "certificate is not yet valid"),
        ({"names": OTHER}, {}, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
        ({"names": OTHER}, {"tls-server-name": "other.example"}, "Hostname mismatch, certificate is not valid for"),
        ({"names": OWN, "usage": "clientAuth"}, {}, "unsuitable certificate purpose"),
        ({"names": OWN}, {"certificate-authority-data": None}, "self-signed certificate in certificate chain"),
    ],
    ids=["expired", "not-yet-valid", "wrong-address", "wrong-name", "of-a-client", "of-no-authority-that-we-know"],
)
def test_a_bad_one_is_refused_and_nothing_is_said_to_it(
    api: ApiServer, tmp_path: Path, certificates: dict[str, Any], cluster: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ApiError) as caught:
        get(api, tmp_path, pki.issue(**{"period": VALID} | certificates), **cluster)
    assert str(caught.value).startswith(f"{api.url}: its certificate is not accepted: {reason}")
    assert api.requests.count() == 0, "no token was shown"


def test_a_good_one_is_accepted_by_its_address_or_the_name_that_is_asked_for(api: ApiServer, tmp_path: Path) -> None:
    assert get(api, tmp_path)
    assert get(api, tmp_path, pki.issue(OTHER), **{"tls-server-name": "api.example"})
