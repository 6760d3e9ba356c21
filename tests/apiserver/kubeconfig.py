"""Kubeconfig files for a test server, with each of the ways in which a client can say who it is."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from tests.apiserver.pki import Pki

JsonObject = dict[str, Any]

Auth = Literal["token", "token-file", "exec", "client-certificate", "none"]
"""``token-file`` and ``exec`` read the token from a file beside the kubeconfig, so that it can be rotated."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a server: its URL, its certificates, and a bearer token."""

    url: str
    pki: Pki
    token: str


def write(path: Path, access: Access, auth: Auth = "token") -> Path:
    """Write a kubeconfig, and the token file that it refers to, if any. Returns ``path``."""
    cluster = {"server": access.url, "certificate-authority-data": _base64(access.pki.authority)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
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
    content = token
    if auth == "exec":
        kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        content = json.dumps(kind | {"status": {"token": token}})
    file.write_text(content)
    file.chmod(0o600)
    return file


def write_service_account(folder: Path, access: Access) -> Path:
    """Write what a pod finds in its service account folder: token, ca.crt and namespace. Returns ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text(access.token)
    (folder / "namespace").write_text("kube-system")
    (folder / "ca.crt").write_bytes(access.pki.authority)
    return folder


def _user(path: Path, access: Access, auth: Auth) -> JsonObject:
    match auth:
        case "token":
            return {"token": access.token}
        case "token-file":
            return {"tokenFile": str(write_token(path, access.token, auth))}
        case "exec":
            file = write_token(path, access.token, auth)
            command: JsonObject = {"command": "cat", "args": [str(file)], "interactiveMode": "Never"}
            return {"exec": {"apiVersion": "client.authentication.k8s.io/v1"} | command}
        case "client-certificate":
            client = access.pki.client
            return {
                "client-certificate-data": _base64(client.certificate),
                "client-key-data": _base64(client.key),
            }
        case "none":
            return {}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
