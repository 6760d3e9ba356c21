"""The objects that the overlays of manifests/ make are what the API and the program take, and grant little."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import click
import msgspec
import pytest
import yaml

from pykubeproxy.cli.kube_proxy import main as kube_proxy
from pykubeproxy.cluster.client import connect
from pykubeproxy.config.completed import check, complete
from pykubeproxy.config.types import ClientConnection, LocalMode
from pykubeproxy.daemon.messages import Message
from pykubeproxy.daemon.watch.api_source import ApiSource
from tests.apiserver.server import ApiServer
from tests.manifests.reading import FOLDER, KIND, REPLACE, SHADOW, JsonObject, containers, main, objects, pod, the

OVERLAYS = pytest.mark.parametrize("overlay", [REPLACE, SHADOW, KIND])
client: Any = importlib.import_module("kubernetes.client")


@pytest.mark.parametrize(
    "obj",
    [*objects(REPLACE), *objects(SHADOW), *objects(KIND)],
    ids=lambda obj: f"{obj['kind']} {obj['metadata']['name']}",
)
def test_every_field_is_one_of_the_api(obj: JsonObject) -> None:
    """The official client drops fields that the API does not have, and refuses objects that lack some."""
    api = client.ApiClient(client.Configuration())
    kept = api.deserialize(msgspec.json.encode(obj).decode(), f"V1{obj['kind']}", "application/json")
    assert api.sanitize_for_serialization(kept) == obj


def test_names_are_those_of_kube_proxy() -> None:
    for obj in objects(REPLACE):
        assert obj["metadata"]["name"] == "kube-proxy"
        assert obj["metadata"].get("namespace") == (None if obj["kind"].startswith("Cluster") else "kube-system")
    # What kube-proxy has of its own stays as it is in shadow mode: the account, the role and the configuration.
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in objects(SHADOW)] == [("DaemonSet", "kube-proxy-shadow")]


@OVERLAYS
def test_a_daemon_set_selects_its_own_pods_and_mounts_every_volume(overlay: str) -> None:
    daemon_set = the("DaemonSet", overlay)
    labels = {"k8s-app": daemon_set["metadata"]["name"]}
    assert daemon_set["spec"]["selector"]["matchLabels"] == labels
    assert daemon_set["spec"]["template"]["metadata"]["labels"] == labels
    volumes = {volume["name"] for volume in pod(overlay)["volumes"]}
    assert {mount["name"] for container in containers(overlay) for mount in container["volumeMounts"]} == volumes


def test_role_account_and_configuration_are_the_ones_that_there_are() -> None:
    binding, account, config_map = the("ClusterRoleBinding"), the("ServiceAccount"), the("ConfigMap")
    assert binding["roleRef"]["name"] == the("ClusterRole")["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (account["metadata"]["name"], account["metadata"]["namespace"])
    assert pod()["serviceAccountName"] == pod(SHADOW)["serviceAccountName"] == account["metadata"]["name"]
    config = next(volume for volume in pod()["volumes"] if volume["name"] == "config")
    assert config["configMap"]["name"] == config_map["metadata"]["name"]
    (file,) = config_map["data"]
    for container in containers():
        mount = next(mount for mount in container["volumeMounts"] if mount["name"] == "config")
        assert f"--config={mount['mountPath']}/{file}" in container["command"]


@OVERLAYS
def test_a_release_has_the_overlays_with_its_own_image(overlay: str) -> None:
    image = "registry.example.com:5000/pykubeproxy:1.10"
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [str(FOLDER.parent / "hack/manifests"), Path(overlay).name, image]
    env = {**os.environ, "KUBECTL": str(kubectl)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    (mine,) = {container["image"] for container in containers(overlay)}
    expected = yaml.safe_dump_all(objects(overlay)).replace(mine, image)
    assert list(yaml.safe_load_all(done.stdout)) == list(yaml.safe_load_all(expected))


@pytest.fixture
def with_components(tmp_path: Path) -> dict[str, JsonObject]:
    """The objects of the overlay `replace` with all components, as a kustomization of a user's own has them."""
    (tmp_path / "manifests").symlink_to(FOLDER)
    (tmp_path / "own").mkdir()
    components = [f"../manifests/components/{name}" for name in ("alerts", "pod-monitor")]
    own = {"resources": ["../manifests/overlays/replace"], "components": components}
    (tmp_path / "own/kustomization.yaml").write_text(yaml.safe_dump(own))
    return {obj["kind"]: obj for obj in objects("own", tmp_path)}


def test_every_alert_leads_to_its_section_of_the_runbook(with_components: dict[str, JsonObject]) -> None:
    for rule in [rule for group in with_components["PrometheusRule"]["spec"]["groups"] for rule in group["rules"]]:
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        path = re.fullmatch(r"https://github\.com/OWNER/pykubeproxy/blob/main/(docs/\S+\.md)", page)
        assert path, page
        headings = re.findall(r"^## (\w+)$", (FOLDER.parent / path[1]).read_text(), re.MULTILINE)
        assert rule["alert"] in headings
        assert anchor == rule["alert"].lower()


def test_the_pod_monitor_asks_the_port_of_the_metrics(with_components: dict[str, JsonObject]) -> None:
    monitor, template = with_components["PodMonitor"]["spec"], with_components["DaemonSet"]["spec"]["template"]
    assert monitor["selector"]["matchLabels"] == template["metadata"]["labels"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    (container,) = template["spec"]["containers"]
    (port,) = container["ports"]
    assert endpoint["port"] == port["name"]
    address = re.search(r"metricsBindAddress: \S+:(\d+)", with_components["ConfigMap"]["data"]["config.conf"])
    assert address
    assert port["containerPort"] == int(address[1])


@pytest.mark.parametrize("overlay", [REPLACE, SHADOW])
def test_the_running_container_may_do_as_little_as_rules_take(overlay: str) -> None:
    assert main(overlay)["securityContext"] == {
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
        "allowPrivilegeEscalation": False,
        "seccompProfile": {"type": "RuntimeDefault"},
        "readOnlyRootFilesystem": True,
    }
    for container in containers(overlay):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable <= {"/tmp", "/run/xtables.lock"}  # noqa: S108
        assert container["resources"].keys() == {"requests"}, "it is never cut off"
    mounted = {volume["hostPath"]["path"] for volume in pod(overlay)["volumes"] if "hostPath" in volume}
    assert mounted <= {"/run/xtables.lock", "/lib/modules"}
    assert (pod(overlay)["hostNetwork"], pod(overlay).get("hostPID"), pod(overlay).get("hostIPC")) == (True, None, None)


def test_only_the_container_for_initialisation_is_privileged() -> None:
    (init,), (ports,) = pod()["initContainers"], pod(SHADOW)["initContainers"]
    assert init["securityContext"] == {"privileged": True, "readOnlyRootFilesystem": True}
    assert init["command"][-1] == "--init-only"
    assert ports["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert ports["securityContext"]["allowPrivilegeEscalation"] is False


KUBEADM = (FOLDER.parent / "tests/config/data/kubeadm.conf").read_bytes()


def test_the_configuration_is_valid_and_leaves_nothing_to_fill_in() -> None:
    file = the("ConfigMap")["data"]["config.conf"].encode()
    completed = complete({"hostname-override": "node-a"}, file, hostname="elsewhere")
    check(completed)
    assert (completed.warnings, completed.node_name) == ((), "node-a")
    assert (completed.config.detect_local_mode, completed.cluster_cidrs) == (LocalMode.NODE_CIDR, ())
    port = int(completed.config.healthz_bind_address.rpartition(":")[2])
    for probe, path in {"livenessProbe": "/livez", "readinessProbe": "/healthz"}.items():
        get = main()[probe]["httpGet"]
        assert (get["path"], get["port"]) == (path, port)
    # The API server is found by the environment.
    assert completed.config.client_connection.kubeconfig == ""
    for container in containers():
        assert container["envFrom"] == [{"configMapRef": {"name": "kube-proxy-api-server"}}]


def test_the_command_is_kube_proxys_own_and_the_shadow_only_looks_on() -> None:
    init, proxy = containers()
    flags = ["--config=/var/lib/kube-proxy/config.conf", "--hostname-override=$(NODE_NAME)"]
    assert proxy["command"] == ["kube-proxy", *flags]
    assert init["command"] == [*proxy["command"], "--init-only"]
    shadow = ["kube-proxy", "--config=/tmp/config.conf", flags[1], "--dry-run", "--dispatch=linear"]
    assert main(SHADOW)["command"] == shadow
    for container in (init, proxy, main(SHADOW)):
        assert container["env"] == [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
        name, *arguments = container["command"]
        with kube_proxy.make_context(name, arguments) as context:
            assert isinstance(context, click.Context)


def test_the_shadows_configuration_is_kube_proxys_but_for_ports_of_its_own(tmp_path: Path) -> None:
    """As its init container makes it, from the one that kubeadm writes."""
    (tmp_path / "config.conf").write_bytes(KUBEADM)
    *shell, script = containers(SHADOW)[0]["command"]
    (_, written) = main(SHADOW)["command"][1].split("=")
    moved = script.replace("/var/lib/kube-proxy/", f"{tmp_path}/").replace(written, f"{tmp_path}/shadow")
    subprocess.run([*shell, moved], check=True)
    shadow_file = (tmp_path / "shadow").read_bytes()
    original, shadow = (complete({}, text, hostname="node-a").config for text in (KUBEADM, shadow_file))
    ports = {"healthz_bind_address": "0.0.0.0:10276", "metrics_bind_address": "127.0.0.1:10269"}
    assert shadow == msgspec.structs.replace(original, **ports)


Permission = tuple[str, str, str]  # API group, resource, verb

WATCHED = ("services", "endpointslices", "nodes")


def allowed() -> Iterator[Permission]:
    for rule in the("ClusterRole")["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield from ((group, resource, verb) for verb in rule["verbs"])


def asked(folder: Path, *, can_stream: bool) -> set[Permission]:
    """What a run of the daemon's source of objects asks for until it follows everything and has written an Event."""
    with ApiServer() as server:
        settings = ClientConnection(kubeconfig=str(server.kubeconfig(folder / "kubeconfig")), qps=-1)
        inbox: SimpleQueue[Message] = SimpleQueue()
        source = ApiSource(connect(settings), "node-a", "host-a", inbox, can_stream=can_stream)
        with ExitStack() as stopping:
            stopping.callback(source.stop)
            source.start()
            for resource in WATCHED:
                assert server.requests.wait(1, "watch", resource)
            assert server.requests.wait(1, "create", "events")
        return {(_group(request.path), request.resource, request.verb) for request in server.requests.requests()}


def _group(path: str) -> str:
    """The API group in /apis/GROUP/v1/…; none in /api/v1/…."""
    return path.split("/")[2] if path.startswith("/apis/") else ""


@pytest.fixture
def needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[Permission]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where the client writes the kubeconfig's certificates
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return asked(tmp_path, can_stream=True) | asked(tmp_path, can_stream=False)


def test_the_role_allows_exactly_what_is_asked_for_and_nothing_twice(needed: set[Permission]) -> None:
    # `trace` in a proxy's pod asks which networks are for cluster IPs.
    assert sorted(allowed()) == sorted({*needed, ("networking.k8s.io", "servicecidrs", "list")})
