"""Tokens, keys and passwords are used, and never shown: not in logs, pages, Events, or the command line."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.proxies import FLAGS
from tests.apiserver import kubeconfig, testing
from tests.apiserver.kubeconfig import Auth
from tests.apiserver.server import ApiServer
from tests.daemon.node import HEALTHZ, METRICS, NAME, SHORT_TIMEOUTS, Daemon, Node

PASSWORD = "correct-horse-battery"
PAGES = {
    METRICS: ("/metrics", "/metrics/slis", "/configz", "/flagz", "/statusz", "/healthz?verbose", "/proxyMode", "/x"),
    HEALTHZ: ("/healthz", "/livez", "/x"),
}
VERBOSE = ("--v=10", "--vmodule=*=10", "--profiling=true")
TROUBLE = "cannot follow the API server"


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


PASSWORDS = {PASSWORD, base64_of(f"admin:{PASSWORD}".encode())}


def secrets_of(api: ApiServer, auth: Auth) -> set[str]:
    """All that is secret about a way to say who we are, in every form in which it could be seen."""
    if auth != "client-certificate":
        return {api.access.token, base64_of(api.access.token.encode())}
    assert api.access.pki is not None
    key = api.access.pki.client.key
    lines = [line for line in key.decode().splitlines() if not line.startswith("-----")]
    return {*lines, base64_of(key)[:100]}


def changed(path: Path, kind: str, **fields: object) -> Path:
    """Change a kubeconfig: its only cluster, or its only user."""
    document = yaml.safe_load(path.read_text())
    document[f"{kind}s"][0][kind] |= fields
    path.write_text(yaml.safe_dump(document))
    return path


def start(node: Node, config: Path, *flags: str) -> Daemon:
    """The daemon with this kubeconfig, as talkative as it can be, its temporary files in a folder of their own."""
    (node.folder / "tmp").mkdir()
    command = ("env", f"TMPDIR={node.folder / 'tmp'}", *SHORT_TIMEOUTS, f"--kubeconfig={config}")
    return node.run(*command, f"--hostname-override={NAME}", *FLAGS, *VERBOSE, *flags)


def check(daemon: Daemon, node: Node, secrets: set[str]) -> None:
    """Look everywhere, at the running program, and at its end."""
    shown = {f"{port}{path}": daemon.get(path, port)[1].decode() for port, paths in PAGES.items() for path in paths}
    shown |= {f"Event {event['metadata']['name']}": str(event) for event in node.api.objects("Event")}
    shown["command line"] = Path(f"/proc/{daemon.process.pid}/cmdline").read_text()
    shown["rules"] = node.dump()
    tmp = node.folder / "tmp"
    modes = {each.stat().st_mode & 0o777 for each in tmp.rglob("*") if each.is_file()}
    assert modes <= {0o600}, "what has to be in a file is for nobody else to read"
    daemon.end()
    assert list(tmp.iterdir()) == [], "and is gone at the end"
    shown["log"] = daemon.log
    assert len(daemon.log.splitlines()) > 5
    assert [(place, secret) for place, text in shown.items() for secret in secrets if secret in text] == []


@pytest.mark.parametrize("auth", ["token", "token-file", "exec", "client-certificate"])
def test_of_every_way_to_say_who_we_are(node: Node, auth: Auth) -> None:
    """With a user and a password in every URL that can be configured."""
    config = node.api.kubeconfig(node.folder / f"{auth}.kubeconfig", auth=auth)
    host = node.api.url.removeprefix("https://")
    secrets = secrets_of(node.api, auth) | PASSWORDS
    daemon = start(node, changed(config, "cluster", server=f"https://admin:{PASSWORD}@{host}"))

    # Everything about the API server that there is anything to say about.
    api = node.api
    api.create(testing.service("web", clusterIP="10.96.0.20"))
    api.create(testing.endpoint_slice("web", "10.244.0.5"))
    daemon.wait(lambda: node.sends_to("10.244.0.5:8080"), "rules")
    api.faults.break_watches("garbage")
    api.faults.fail(500, count=None)
    daemon.wait_told(TROUBLE)
    api.faults.clear()
    api.wait_watchers(3)
    if auth in ("token-file", "exec"):
        kubeconfig.write_token(config, api.rotate_token(), auth)
        api.faults.break_watches("end")
        api.wait_watchers(3)
    api.apply(testing.endpoint_slice("web", "10.244.0.6"))
    daemon.wait(lambda: node.sends_to("10.244.0.6:8080"), "it goes on")
    assert api.objects("Event"), "there were Events to look at"
    check(daemon, node, secrets | secrets_of(api, auth))


@pytest.mark.parametrize(
    "user",
    [
        {"username": "admin", "password": PASSWORD},
        {"token": f"two\n{PASSWORD}"},
        {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "echo", "args": [PASSWORD]}},
    ],
    ids=["password", "line-break", "plugin-that-says-nonsense"],
)
def test_of_credentials_that_are_refused(node: Node, user: dict[str, Any]) -> None:
    config = kubeconfig.write(node.folder / "refused.kubeconfig", node.api.access, "none")
    daemon = start(node, changed(config, "user", **user))
    daemon.wait_told(TROUBLE)
    check(daemon, node, PASSWORDS)


def test_of_a_url_on_the_command_line_but_for_the_command_line_itself(node: Node) -> None:
    url = f"https://admin:{PASSWORD}@{node.api.url.removeprefix('https://')}"
    config = node.api.kubeconfig(node.folder / "token.kubeconfig", auth="token")
    daemon = start(node, config, f"--master={url}").wait_synced()
    flagz = daemon.get("/flagz")[1].decode()
    assert f"master:{url.replace(f'admin:{PASSWORD}', 'xxxxx')}" in flagz
    assert PASSWORD not in flagz
    node.api.faults.refuse()
    assert PASSWORD not in str(daemon.wait_told(TROUBLE))
