"""Where the API server is and who we are: files, variables, programs, and what is said when they are wrong."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from pykubeproxy.cluster.access import AccessError, find_access
from pykubeproxy.cluster.api_error import ApiError

TOKEN = "t0k3n"


@pytest.fixture(autouse=True)
def outside_of_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HTTPS_PROXY", "https_proxy", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def in_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A pod's environment; gives the token file."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    token, ca = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text(TOKEN + "\n")
    ca.write_text("certificate")
    module = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{module}.SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(f"{module}.SERVICE_CERT_FILENAME", str(ca))
    return token


def kubeconfig(folder: Path, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> str:
    """Write a kubeconfig with one cluster and one user."""
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"} | (cluster or {})}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def script(folder: Path, text: str) -> str:
    """Write a program."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(stat.S_IRWXU)
    return str(path)


def plugin(command: str) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never"}}


def credential(**status: str) -> str:
    """Give the command that prints these credentials."""
    document = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"echo '{json.dumps(document)}'"


class TestServer:
    def test_of_the_kubeconfig(self, tmp_path: Path) -> None:
        assert find_access(kubeconfig(tmp_path), "").server == "https://10.0.0.1:6443"

    def test_master_wins_over_the_kubeconfig_and_leaves_the_rest(self, tmp_path: Path) -> None:
        access = find_access(kubeconfig(tmp_path, {"token": TOKEN}), "https://10.0.0.2:6443")
        assert access.server == "https://10.0.0.2:6443"
        assert access.credentials().authorization == f"Bearer {TOKEN}"

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
        assert access.server == server
        assert access.credentials().authorization is None

    def test_master_without_a_scheme_is_https_where_the_kubeconfig_is(self, tmp_path: Path) -> None:
        ca = tmp_path / "ca.crt"
        ca.write_text("certificate")
        path = kubeconfig(tmp_path, cluster={"certificate-authority": "ca.crt"})
        access = find_access(path, "10.0.0.2:6443")
        assert access.server == "https://10.0.0.2:6443"
        assert access.credentials().configuration.ssl_ca_cert == str(ca), "relative to the kubeconfig"

    @pytest.mark.usefixtures("in_cluster")
    def test_in_cluster(self) -> None:
        access = find_access("", "")
        assert access.server == "https://10.96.0.1:443"
        assert access.credentials().authorization == f"bearer {TOKEN}"

    @pytest.mark.usefixtures("in_cluster")
    def test_in_cluster_ipv6(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
        assert find_access("", "").server == "https://[fd00::1]:443"

    def test_settings_of_the_cluster(self, tmp_path: Path) -> None:
        extras = {"tls-server-name": "api", "proxy-url": "http://10.0.0.9:3128", "insecure-skip-tls-verify": True}
        configuration = find_access(kubeconfig(tmp_path, cluster=extras), "").credentials().configuration
        assert (configuration.tls_server_name, configuration.proxy) == ("api", "http://10.0.0.9:3128")
        assert configuration.verify_ssl is False

    def test_the_environment_names_a_proxy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.9:3128")
        assert find_access(kubeconfig(tmp_path), "").credentials().configuration.proxy == "http://10.0.0.9:3128"


class TestWeakness:
    """What an operator is warned of."""

    @pytest.mark.parametrize(
        ("cluster", "why"),
        [
            ({}, None),
            ({"insecure-skip-tls-verify": True}, "its certificate is not verified: insecure-skip-tls-verify is set"),
            ({"server": "http://10.0.0.1:8080"}, "the connection is not encrypted: its URL is not https://"),
        ],
    )
    def test_of_the_kubeconfig(self, tmp_path: Path, cluster: dict[str, Any], why: str | None) -> None:
        assert find_access(kubeconfig(tmp_path, cluster=cluster), "").weakness == why

    def test_of_master(self) -> None:
        assert find_access("", "HTTPS://10.0.0.1").weakness is None
        assert str(find_access("", "10.0.0.1:8080").weakness).startswith("the connection is not encrypted")


class TestSecrets:
    """No message has any."""

    def test_in_the_servers_url(self, tmp_path: Path) -> None:
        access = find_access(kubeconfig(tmp_path, cluster={"server": f"https://u:{TOKEN}@10.0.0.1:6443"}), "")
        assert access.shown == "https://xxxxx@10.0.0.1:6443"

    @pytest.mark.parametrize("server", [f"https://u:{TOKEN}@", f"u:{TOKEN}@10.0.0.1"])
    def test_in_a_server_that_is_no_url(self, tmp_path: Path, server: str) -> None:
        with pytest.raises(AccessError) as caught:
            find_access(kubeconfig(tmp_path, cluster={"server": server}), "")
        assert "xxxxx@" in str(caught.value)
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
    def test_in_a_kubeconfig_that_cannot_be_read(self, tmp_path: Path, user: str) -> None:
        path = Path(kubeconfig(tmp_path))
        path.write_text(path.read_text().replace("user: {}", f"user: {user}"))
        assert TOKEN in path.read_text()
        told = ""
        try:
            find_access(str(path), "").credentials()
        except (AccessError, ApiError) as error:
            told = str(error)
        assert TOKEN not in told

    @pytest.mark.parametrize("text", [f"echo {TOKEN}", f"echo '{{\"{TOKEN}\": 1}}'", f"echo {TOKEN}; exit 1"])
    def test_in_the_output_of_a_plugin_that_cannot_be_read(self, tmp_path: Path, text: str) -> None:
        access = find_access(kubeconfig(tmp_path, plugin(script(tmp_path, text))), "")
        with pytest.raises(ApiError) as caught:
            access.credentials()
        assert TOKEN not in str(caught.value)


class TestMistakes:
    def test_nothing_at_all(self) -> None:
        with pytest.raises(AccessError) as caught:
            find_access("", "")
        assert str(caught.value) == (
            "unable to load in-cluster configuration, "
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined; "
            "elsewhere, --kubeconfig FILE says where the API server is"
        )

    def test_no_such_file(self) -> None:
        with pytest.raises(AccessError, match=r"^kubeconfig /no/such/file: no such file$"):
            find_access("/no/such/file", "")

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "is empty"),
            ("{", "expected"),
            ("[]", ""),
            ("current-context: x", "x"),
            ("{current-context: x, contexts: [{name: x, context: {cluster: c}}]}", "name c"),
        ],
    )
    def test_a_kubeconfig_that_cannot_be_used(self, tmp_path: Path, text: str, problem: str) -> None:
        path = tmp_path / "kubeconfig"
        path.write_text(text)
        with pytest.raises(AccessError) as caught:
            find_access(str(path), "")
        assert str(caught.value).startswith(f"kubeconfig {path}: ")
        assert problem in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("server", ["", "10.0.0.1", "10.0.0.1:6443"])
    def test_a_server_that_is_no_url(self, tmp_path: Path, server: str) -> None:
        path = kubeconfig(tmp_path, cluster={"server": server})
        with pytest.raises(AccessError, match=f"^kubeconfig {path}: server: '{server}' is not a URL such as https://"):
            find_access(path, "")

    def test_a_file_that_the_kubeconfig_names_and_nobody_has(self, tmp_path: Path) -> None:
        path = kubeconfig(tmp_path, cluster={"certificate-authority": "ca.crt"})
        with pytest.raises(AccessError, match=f"^kubeconfig {path}: File does not exist: {tmp_path}/ca.crt$"):
            find_access(path, "")

    def test_no_token_in_the_cluster(self, in_cluster: Path) -> None:
        in_cluster.unlink()
        with pytest.raises(AccessError, match=r"^unable to load in-cluster configuration: .*token"):
            find_access("", "")

    def test_a_master_that_is_no_address(self) -> None:
        with pytest.raises(AccessError, match=r"^--master: 'https://' is not a URL"):
            find_access("", "https://")


class TestCredentials:
    @pytest.mark.parametrize(
        ("user", "header"),
        [
            ({}, None),
            ({"token": TOKEN}, f"Bearer {TOKEN}"),
            ({"username": "u", "password": "p"}, "Basic dTpw"),
        ],
    )
    def test_of_the_kubeconfig(self, tmp_path: Path, user: dict[str, Any], header: str | None) -> None:
        assert find_access(kubeconfig(tmp_path, user), "").credentials().authorization == header

    def test_a_token_file_is_read_again_after_a_minute(self, tmp_path: Path) -> None:
        """As kubeadm's kubeconfig for kube-proxy has it; the kubelet rotates that file."""
        token = tmp_path / "token"
        token.write_text("old\n")
        path = kubeconfig(tmp_path, {"tokenFile": "token"})
        self._check_rotation(path, token, "Bearer")

    def test_the_token_of_the_cluster_is_read_again_after_a_minute(self, in_cluster: Path) -> None:
        in_cluster.write_text("old\n")
        self._check_rotation("", in_cluster, "bearer")

    def _check_rotation(self, path: str, token: Path, scheme: str) -> None:
        access, now = find_access(path, ""), [1000.0]
        access._clock = lambda: now[0]
        access._read_at = 1000.0
        token.write_text("new\n")
        now[0] += 59.0
        assert access.credentials().authorization == f"{scheme} old"
        now[0] += 1.0
        assert access.credentials().authorization == f"{scheme} new"
        token.unlink()
        now[0] += 60.0
        assert access.credentials().authorization == f"{scheme} new", "good for a while, as far as we know"

    def test_refused_credentials_are_read_again_once(self, tmp_path: Path) -> None:
        token = tmp_path / "token"
        token.write_text("old")
        access = find_access(kubeconfig(tmp_path, {"tokenFile": "token"}), "")
        token.write_text("new")
        access.renew(access.credentials().generation + 1)
        assert access.credentials().authorization == "Bearer old", "somebody else has renewed them already"
        access.renew(access.credentials().generation)
        assert access.credentials().authorization == "Bearer new"

    def test_a_kubeconfig_that_has_gone_is_trouble_and_not_the_end(self, tmp_path: Path) -> None:
        path = kubeconfig(tmp_path, {"token": TOKEN})
        access = find_access(path, "")
        Path(path).unlink()
        with pytest.raises(ApiError, match="no such file"):
            access.renew(access.credentials().generation)
        kubeconfig(tmp_path, {"token": "other"})
        access.renew(access.credentials().generation)
        assert access.credentials().authorization == "Bearer other"


class TestPlugins:
    def test_a_token(self, tmp_path: Path) -> None:
        path = kubeconfig(tmp_path, plugin(script(tmp_path, credential(token=TOKEN))))
        assert find_access(path, "").credentials().authorization == f"Bearer {TOKEN}"

    def test_it_is_run_once_while_its_token_lasts(self, tmp_path: Path) -> None:
        text = f"echo run >> {tmp_path}/runs; {credential(token=TOKEN, expirationTimestamp='2999-01-01T00:00:00Z')}"
        access = find_access(kubeconfig(tmp_path, plugin(script(tmp_path, text))), "")
        for _ in range(3):
            access.credentials()
        assert (tmp_path / "runs").read_text() == "run\n"

    def test_it_is_run_again_when_its_token_expires(self, tmp_path: Path) -> None:
        text = f"echo run >> {tmp_path}/runs; {credential(token=TOKEN, expirationTimestamp='2000-01-01T00:00:00Z')}"
        access = find_access(kubeconfig(tmp_path, plugin(script(tmp_path, text))), "")
        access.credentials()
        assert (tmp_path / "runs").read_text().count("run") == 2

    @pytest.mark.parametrize(
        ("text", "problem"),
        [("echo no luck >&2; exit 3", "no luck"), ("echo nonsense", "failed to decode"), ("echo '{}'", "apiVersion")],
    )
    def test_one_that_fails_is_trouble_and_is_run_again(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, problem: str
    ) -> None:
        path = kubeconfig(tmp_path, plugin(script(tmp_path, text)))
        access = find_access(path, "")
        with pytest.raises(ApiError, match=f"^no credentials for the API server: kubeconfig {path}: .*{problem}"):
            access.credentials()
        script(tmp_path, credential(token=TOKEN))
        assert access.credentials().authorization == f"Bearer {TOKEN}"
        assert capfd.readouterr().err == "", "the message is ours to tell"

    def test_one_that_does_not_exist(self, tmp_path: Path) -> None:
        access = find_access(kubeconfig(tmp_path, plugin("/no/such/plugin")), "")
        with pytest.raises(ApiError, match="/no/such/plugin"):
            access.credentials()
