"""Where the API server is and who we are: files, variables, programs, and what is said when they are wrong."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from pykubeproxy.cluster.access import Access, AccessError, find_access
from pykubeproxy.cluster.api_error import ApiError
from pykubeproxy.cluster.official_client import part

TOKEN = "t0k3n"
EXEC_API = "client.authentication.k8s.io/v1"
NO_CLUSTER = (
    "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined"
)


@pytest.fixture
def in_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A pod's environment; gives the token file."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    token, ca = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text(TOKEN + "\n")
    ca.write_text("certificate")
    monkeypatch.setattr(part().incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(part().incluster_config, "SERVICE_CERT_FILENAME", str(ca))
    return token


class Home:
    """A folder with a kubeconfig, and perhaps a program that it names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = str(folder / "kubeconfig")

    def write(self, user: dict[str, Any] | None = None, **cluster: Any) -> str:
        """Write a kubeconfig with one cluster and one user."""
        config = {
            "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"} | cluster}],
            "users": [{"name": "u", "user": user or {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        Path(self.path).write_text(yaml.safe_dump(config))
        return self.path

    def find(self, user: dict[str, Any] | None = None, master: str = "", **cluster: Any) -> Access:
        """What is found by that kubeconfig."""
        return find_access(self.write(user, **cluster), master)

    def find_plugin(self, text: str) -> Access:
        """What is found by a kubeconfig that names a program of this text."""
        path = self.folder / "plugin"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(stat.S_IRWXU)
        return self.find({"exec": {"apiVersion": EXEC_API, "command": str(path), "interactiveMode": "Never"}})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def header(access: Access) -> str | None:
    return access.credentials().authorization


def credential(**status: str) -> str:
    """Give the command that prints these credentials, and takes note of each time that it is run."""
    document = {"apiVersion": EXEC_API, "kind": "ExecCredential", "status": status}
    return f"echo run >> $(dirname $0)/runs; echo '{json.dumps(document)}'"


class TestServer:
    @pytest.mark.parametrize(
        ("master", "server"),
        [
            ("https://10.0.0.2", "https://10.0.0.2"),
            ("https://10.0.0.2/", "https://10.0.0.2"),
            ("http://[fd00::1]:8080", "http://[fd00::1]:8080"),
            ("10.0.0.2:8080", "http://10.0.0.2:8080"),
        ],
    )
    def test_master_alone(self, master: str, server: str) -> None:
        access = find_access("", master)
        assert (access.server, header(access)) == (server, None)

    def test_master_wins_over_the_kubeconfig_and_leaves_the_rest(self, home: Home) -> None:
        """Without a scheme it is https if the kubeconfig has anything for it."""
        (home.folder / "ca.crt").write_text("certificate")
        access = home.find({"token": TOKEN}, "10.0.0.2:6443", **{"certificate-authority": "ca.crt"})
        assert (access.server, header(access)) == ("https://10.0.0.2:6443", f"Bearer {TOKEN}")
        configuration = access.credentials().configuration
        assert configuration.ssl_ca_cert == str(home.folder / "ca.crt"), "relative to the kubeconfig"

    @pytest.mark.usefixtures("in_cluster")
    @pytest.mark.parametrize(
        ("host", "server"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
    )
    def test_in_cluster(self, monkeypatch: pytest.MonkeyPatch, host: str, server: str) -> None:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        access = find_access("", "")
        assert (access.server, header(access)) == (server, f"bearer {TOKEN}")

    @pytest.mark.parametrize(
        ("cluster", "why"),
        [
            ({}, None),
            ({"insecure-skip-tls-verify": True}, "its certificate is not verified: insecure-skip-tls-verify is set"),
            ({"server": "http://10.0.0.1:8080"}, "the connection is not encrypted: its URL is not https://"),
            ({"server": "HTTPS://10.0.0.1:8080"}, None),
        ],
    )
    def test_an_operator_is_warned_of_a_weakness(self, home: Home, cluster: dict[str, Any], why: str | None) -> None:
        assert home.find(**cluster).weakness == why


class TestSecrets:
    """No message has any."""

    def test_in_the_servers_url(self, home: Home) -> None:
        assert home.find(server=f"https://u:{TOKEN}@10.0.0.1:6443").shown == "https://xxxxx@10.0.0.1:6443"

    @pytest.mark.parametrize("server", [f"https://u:{TOKEN}@", f"u:{TOKEN}@10.0.0.1"])
    def test_in_a_server_that_is_no_url(self, home: Home, server: str) -> None:
        with pytest.raises(AccessError, match="xxxxx@") as caught:
            home.find(server=server)
        assert TOKEN not in str(caught.value)

    @pytest.mark.parametrize(
        "user",
        [
            f"{{token: *{TOKEN}}}",
            f"{{token: @{TOKEN}}}",
            f"{{token: !{TOKEN} x}}",
            f"{{token: '{TOKEN}}}",
            f"{{token: {{{TOKEN}: 1}}}}",
            f"{{token: {TOKEN}\n}}}}",
            f"{{client-certificate-data: '{TOKEN}', client-key-data: '{TOKEN}'}}",
            f"{{username: u, password: [{TOKEN}]}}",
        ],
    )
    def test_in_a_kubeconfig_that_cannot_be_read(self, home: Home, user: str) -> None:
        path = Path(home.write())
        path.write_text(path.read_text().replace("user: {}", f"user: {user}"))
        assert TOKEN in path.read_text()
        told = ""
        try:
            find_access(str(path), "").credentials()
        except (AccessError, ApiError) as error:
            told = str(error)
        assert TOKEN not in told

    @pytest.mark.parametrize("text", [f"echo {TOKEN}", f"echo '{{\"{TOKEN}\": 1}}'", f"echo {TOKEN}; exit 1"])
    def test_in_the_output_of_a_plugin_that_cannot_be_read(self, home: Home, text: str) -> None:
        with pytest.raises(ApiError) as caught:
            header(home.find_plugin(text))
        assert TOKEN not in str(caught.value)


class TestMistakes:
    @pytest.mark.parametrize(
        ("master", "problem"),
        [
            ("", f"{NO_CLUSTER}; elsewhere, --kubeconfig FILE says where the API server is"),
            ("https://", "--master: 'https://' is not a URL such as https://10.0.0.1:6443"),
        ],
    )
    def test_no_server(self, master: str, problem: str) -> None:
        with pytest.raises(AccessError) as caught:
            find_access("", master)
        assert str(caught.value) == problem

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (None, "no such file"),
            ("", "is empty"),
            ("{", "expected"),
            ("[]", ""),
            ("current-context: x", "x"),
            ("{current-context: x, contexts: [{name: x, context: {cluster: c}}]}", "name c"),
        ],
    )
    def test_a_kubeconfig_that_cannot_be_used(self, home: Home, text: str | None, problem: str) -> None:
        if text is not None:
            Path(home.path).write_text(text)
        with pytest.raises(AccessError) as caught:
            find_access(home.path, "")
        assert str(caught.value).startswith(f"kubeconfig {home.path}: ")
        assert problem in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("server", ["", "10.0.0.1", "10.0.0.1:6443"])
    def test_a_server_that_is_no_url(self, home: Home, server: str) -> None:
        with pytest.raises(AccessError, match=f"^kubeconfig {home.path}: server: '{server}' is not a URL such as "):
            home.find(server=server)


class TestCredentials:
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"], ids=["as kubeadm's kubeconfig has it", "in the cluster"])
    def test_a_token_file_is_read_again_after_a_minute(self, home: Home, in_cluster: Path, scheme: str) -> None:
        """The kubelet rotates it."""
        in_cluster.write_text("old\n")
        access, now = find_access(home.write({"tokenFile": "token"}) if scheme == "Bearer" else "", ""), [1000.0]
        access._clock = lambda: now[0]
        access._read_at = 1000.0
        in_cluster.write_text("new\n")
        now[0] += 59.0
        assert header(access) == f"{scheme} old"
        now[0] += 1.0
        assert header(access) == f"{scheme} new"
        in_cluster.unlink()
        now[0] += 60.0
        assert header(access) == f"{scheme} new", "good for a while, as far as we know"

    def test_refused_credentials_are_read_again_once(self, home: Home) -> None:
        access = home.find({"token": "old"})
        home.write({"token": "new"})
        access.renew(access.credentials().generation + 1)
        assert header(access) == "Bearer old", "somebody else has renewed them already"
        access.renew(access.credentials().generation)
        assert header(access) == "Bearer new"

    def test_a_kubeconfig_that_has_gone_is_trouble_and_not_the_end(self, home: Home) -> None:
        access = home.find({"token": TOKEN})
        Path(home.path).unlink()
        with pytest.raises(ApiError, match="no such file"):
            access.renew(access.credentials().generation)
        home.write({"token": "other"})
        access.renew(access.credentials().generation)
        assert header(access) == "Bearer other"

    def test_an_auth_provider_is_left_to_the_whole_client(self, home: Home) -> None:
        claims = base64.urlsafe_b64encode(json.dumps({"exp": 4_000_000_000}).encode()).decode().rstrip("=")
        config = {"id-token": f"e30.{claims}.x", "refresh-token": "r", "client-id": "c"}
        assert header(home.find({"auth-provider": {"name": "oidc", "config": config}})) == f"Bearer e30.{claims}.x"


class TestPlugins:
    @pytest.mark.parametrize(("expires", "runs"), [("2999-01-01T00:00:00Z", 1), ("2000-01-01T00:00:00Z", 2)])
    def test_it_is_run_again_when_its_token_expires(self, home: Home, expires: str, runs: int) -> None:
        access = home.find_plugin(credential(token=TOKEN, expirationTimestamp=expires))
        assert header(access) == f"Bearer {TOKEN}"
        assert (home.folder / "runs").read_text().count("run") == runs

    @pytest.mark.parametrize(
        ("text", "problem"),
        [("echo no luck >&2; exit 3", "no luck"), ("echo nonsense", "failed to decode"), ("echo '{}'", "apiVersion")],
    )
    def test_one_that_fails_is_trouble_and_is_run_again(
        self, home: Home, capfd: pytest.CaptureFixture[str], text: str, problem: str
    ) -> None:
        access = home.find_plugin(text)
        with pytest.raises(ApiError, match=f"^no credentials for the API server: kubeconfig {home.path}: .*{problem}"):
            header(access)
        home.find_plugin(credential(token=TOKEN))
        assert header(access) == f"Bearer {TOKEN}"
        assert capfd.readouterr().err == "", "the message is ours to tell"
