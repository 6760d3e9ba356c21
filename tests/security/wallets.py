"""What must never be seen: the secrets of a way to say who we are, in every form in which they could be."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.apiserver import kubeconfig
from tests.apiserver.kubeconfig import Access, Auth
from tests.apiserver.server import ApiServer

PASSWORD = "correct-horse-battery"


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """A kubeconfig, flags that go with it, and all that is secret about it."""

    kubeconfig: Path
    secrets: frozenset[str]
    flags: tuple[str, ...] = ()

    def found_in(self, text: str) -> set[str]:
        """The secrets that a text has."""
        return {secret for secret in self.secrets if secret in text}


def wallet(api: ApiServer, folder: Path, auth: Auth) -> Wallet:
    """One of the ways that a test server knows."""
    path = api.kubeconfig(folder / f"{auth}.kubeconfig", auth=auth)
    secrets = {api.access.token, _base64(api.access.token.encode())}
    if auth == "client-certificate":
        secrets = _of_key(api.access)
    return Wallet(kubeconfig=path, secrets=frozenset(secrets))


def with_password(api: ApiServer, folder: Path, auth: Auth) -> Wallet:
    """The same, with a user and a password in every URL that can be configured."""
    host = api.url.removeprefix("https://")
    url = f"https://admin:{PASSWORD}@{host}"
    its = wallet(api, folder, auth)
    document = yaml.safe_load(its.kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = url
    its.kubeconfig.write_text(yaml.safe_dump(document))
    return msgspec.structs.replace(its, secrets=its.secrets | {PASSWORD, _base64(f"admin:{PASSWORD}".encode())})


def refused(api: ApiServer, folder: Path, user: dict[str, Any]) -> Wallet:
    """Credentials that the server does not take."""
    path = kubeconfig.write(folder / "refused.kubeconfig", api.access, "none")
    document = yaml.safe_load(path.read_text())
    document["users"][0]["user"] = user
    path.write_text(yaml.safe_dump(document))
    return Wallet(kubeconfig=path, secrets=frozenset({PASSWORD, _base64(f"admin:{PASSWORD}".encode())}))


def _of_key(access: Access) -> set[str]:
    """The lines of a private key, as they are in its file and in a kubeconfig."""
    assert access.pki is not None
    key = access.pki.client.key
    lines = [line for line in key.decode().splitlines() if not line.startswith("-----")]
    return {*lines, _base64(key)[:100]}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
