"""The objects that the overlays of manifests/ make are what the API takes, fit each other, and grant little."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

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


def test_in_kind_the_way_to_the_api_server_is_there() -> None:
    (config_map,) = [obj for obj in objects(KIND) if obj not in objects(REPLACE)]
    assert {"configMapRef": {"name": config_map["metadata"]["name"]}} in containers(KIND)[0]["envFrom"]
    assert config_map["data"].keys() == {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"}


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
