"""Ways to a test server from elsewhere: kubeconfig files for each way to say who one is, and a client with a token."""

import base64
import http.client
import json
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import yaml

from tests.apiserver.pki import Pki

JsonObject = dict[str, Any]

Auth = Literal["token", "token-file", "exec", "client-certificate", "none"]
"""``token-file`` and ``exec`` read the token from a file beside the kubeconfig, so that it can be rotated."""

_EXEC_API = "client.authentication.k8s.io/v1"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a server: its URL, its certificates, and a bearer token."""

    url: str
    pki: Pki
    token: str


class Client:
    """Requests with a bearer token, one connection each."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._context = ssl.create_default_context(cadata=access.pki.authority.decode())

    def request(self, method: str, path: str, body: Any) -> Any:
        """Send a request, and return the decoded JSON of the answer. AssertionError if it is refused."""
        host = urlsplit(self._access.url).netloc
        headers = {"Authorization": f"Bearer {self._access.token}", "Content-Type": "application/json"}
        with closing(http.client.HTTPSConnection(host, timeout=10.0, context=self._context)) as connection:
            connection.request(method, path, msgspec.json.encode(body), headers)
            response = connection.getresponse()
            answer = response.read()
        assert response.status < http.HTTPStatus.BAD_REQUEST, answer
        return msgspec.json.decode(answer)


def write(path: Path, access: Access, auth: Auth = "token", cluster: JsonObject | None = None) -> Path:
    """Write a kubeconfig, and the token file that it refers to, if any. Returns ``path``.

    ``cluster`` has settings of the cluster beside the usual ones, or (None) takes one of those away.
    """
    usual = {"server": access.url, "certificate-authority-data": _base64(access.pki.authority)}
    settings = {key: value for key, value in (usual | (cluster or {})).items() if value is not None}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": settings}],
        "users": [{"name": "test", "user": _user(path, access, auth)}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    path.chmod(0o600)
    return path


def write_token(path: Path, token: str, auth: Auth) -> Path:
    """Write the token file of the kubeconfig at ``path``: for ``exec`` the ExecCredential that has it. Returns it."""
    file = path.with_name(path.name + (".credential" if auth == "exec" else ".token"))
    credential = {"apiVersion": _EXEC_API, "kind": "ExecCredential", "status": {"token": token}}
    file.write_text(json.dumps(credential) if auth == "exec" else token)
    file.chmod(0o600)
    return file


def _user(path: Path, access: Access, auth: Auth) -> JsonObject:
    match auth:
        case "token":
            return {"token": access.token}
        case "token-file":
            return {"tokenFile": str(write_token(path, access.token, auth))}
        case "exec":
            arguments = [str(write_token(path, access.token, auth))]
            program = {"apiVersion": _EXEC_API, "command": "cat", "args": arguments, "interactiveMode": "Never"}
            return {"exec": program}
        case "client-certificate":
            client = access.pki.client
            certificate, key = _base64(client.certificate), _base64(client.key)
            return {"client-certificate-data": certificate, "client-key-data": key}
        case "none":
            return {}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
