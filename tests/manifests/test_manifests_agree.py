"""The objects that the overlays of manifests/ make are what the API takes, and fit each other."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.manifests.reading import FOLDER, KIND, REPLACE, SHADOW, JsonObject, containers, objects, pod, the

EVERYTHING = [*objects(REPLACE), *objects(SHADOW), *objects(KIND)]
OVERLAYS = pytest.mark.parametrize("overlay", [REPLACE, SHADOW, KIND])
client: Any = importlib.import_module("kubernetes.client")


@pytest.mark.parametrize("obj", EVERYTHING, ids=lambda obj: f"{obj['kind']} {obj['metadata']['name']}")
def test_every_field_is_one_of_the_api(obj: JsonObject) -> None:
    """The official client drops fields that the API does not have, and refuses objects that lack some."""
    api = client.ApiClient(client.Configuration())
    kept = api.deserialize(msgspec.json.encode(obj).decode(), f"V1{obj['kind']}", "application/json")
    assert api.sanitize_for_serialization(kept) == obj


@OVERLAYS
def test_a_daemon_set_selects_its_own_pods_and_not_the_other_ones(overlay: str) -> None:
    daemon_set = the("DaemonSet", overlay)
    name = daemon_set["metadata"]["name"]
    assert daemon_set["metadata"]["labels"] == {"k8s-app": name}
    assert daemon_set["spec"]["selector"]["matchLabels"] == {"k8s-app": name}
    assert daemon_set["spec"]["template"]["metadata"]["labels"] == {"k8s-app": name}


def test_names_are_those_of_kube_proxy() -> None:
    for obj in objects(REPLACE):
        assert obj["metadata"]["name"] == "kube-proxy"
        assert obj["metadata"]["labels"] == {"k8s-app": "kube-proxy"}
        assert obj["metadata"].get("namespace") == (None if obj["kind"].startswith("Cluster") else "kube-system")


def test_the_role_is_bound_to_the_account_that_the_pods_have() -> None:
    binding, account = the("ClusterRoleBinding"), the("ServiceAccount")
    assert binding["roleRef"]["name"] == the("ClusterRole")["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (account["metadata"]["name"], account["metadata"]["namespace"])
    assert pod()["serviceAccountName"] == pod(SHADOW)["serviceAccountName"] == account["metadata"]["name"]


@OVERLAYS
def test_every_mounted_volume_is_there_and_every_volume_mounted(overlay: str) -> None:
    volumes = {volume["name"] for volume in pod(overlay)["volumes"]}
    assert {mount["name"] for container in containers(overlay) for mount in container["volumeMounts"]} == volumes


def test_the_config_map_is_mounted_where_the_command_line_looks_for_it() -> None:
    config = next(volume for volume in pod()["volumes"] if volume["name"] == "config")
    assert config["configMap"]["name"] == the("ConfigMap")["metadata"]["name"]
    (file,) = the("ConfigMap")["data"]
    for container in containers():
        mount = next(mount for mount in container["volumeMounts"] if mount["name"] == "config")
        assert f"--config={mount['mountPath']}/{file}" in container["command"]


@OVERLAYS
def test_all_containers_have_the_image_of_the_base(overlay: str) -> None:
    (image,) = {container["image"] for container in objects("base")[0]["spec"]["template"]["spec"]["containers"]}
    assert {container["image"] for container in containers(overlay)} == {image}


@OVERLAYS
def test_a_release_has_the_overlays_with_its_own_image(overlay: str) -> None:
    image = "registry.example.com:5000/pykubeproxy:1.10"
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [FOLDER.parent / "hack/manifests", Path(overlay).name, image],
        env={**os.environ, "KUBECTL": str(kubectl)},
        capture_output=True,
        text=True,
        check=True,
    )
    (mine,) = {container["image"] for container in containers(overlay)}
    expected = yaml.safe_dump_all(objects(overlay)).replace(mine, image)
    assert list(yaml.safe_load_all(done.stdout)) == list(yaml.safe_load_all(expected))


def test_the_shadow_adds_nothing_but_itself() -> None:
    """What kube-proxy has of its own stays as it is: the account, the role and the configuration."""
    assert [(obj["kind"], obj["metadata"]["name"]) for obj in objects(SHADOW)] == [("DaemonSet", "kube-proxy-shadow")]


def test_in_kind_the_way_to_the_api_server_is_there() -> None:
    added = [obj for obj in objects(KIND) if obj not in objects(REPLACE)]
    (config_map,) = added
    assert {"configMapRef": {"name": config_map["metadata"]["name"]}} in containers(KIND)[0]["envFrom"]
    assert config_map["data"].keys() == {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"}
