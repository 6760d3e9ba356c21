"""The objects of manifests/ are what the API takes, and fit each other."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.manifests.reading import FILES, FOLDER, SHADOW, JsonObject, containers, objects, pod, the

KUSTOMIZATION: JsonObject = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
EVERYTHING = objects(*FILES, SHADOW)
client: Any = importlib.import_module("kubernetes.client")


@pytest.mark.parametrize("obj", EVERYTHING, ids=lambda obj: f"{obj['kind']} {obj['metadata']['name']}")
def test_every_field_is_one_of_the_api(obj: JsonObject) -> None:
    """The official client drops fields that the API does not have, and refuses objects that lack some."""
    api = client.ApiClient(client.Configuration())
    kept = api.deserialize(msgspec.json.encode(obj).decode(), f"V1{obj['kind']}", "application/json")
    assert api.sanitize_for_serialization(kept) == obj


@pytest.mark.parametrize("file", ["daemonset.yaml", SHADOW])
def test_a_daemon_set_selects_its_own_pods_and_not_the_other_ones(file: str) -> None:
    daemon_set = the("DaemonSet", file)
    name = daemon_set["metadata"]["name"]
    assert daemon_set["metadata"]["labels"] == {"k8s-app": name}
    assert daemon_set["spec"]["selector"]["matchLabels"] == {"k8s-app": name}
    assert daemon_set["spec"]["template"]["metadata"]["labels"] == {"k8s-app": name}


def test_names_are_those_of_kube_proxy() -> None:
    for obj in objects(*FILES):
        assert obj["metadata"]["name"] == "kube-proxy"
        assert obj["metadata"]["labels"] == {"k8s-app": "kube-proxy"}
        assert obj["metadata"].get("namespace") == (None if obj["kind"].startswith("Cluster") else "kube-system")


def test_the_role_is_bound_to_the_account_that_the_pods_have() -> None:
    binding, account = the("ClusterRoleBinding"), the("ServiceAccount")
    assert binding["roleRef"]["name"] == the("ClusterRole")["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["name"], subject["namespace"]) == (account["metadata"]["name"], account["metadata"]["namespace"])
    assert pod()["serviceAccountName"] == pod(SHADOW)["serviceAccountName"] == account["metadata"]["name"]


@pytest.mark.parametrize("file", ["daemonset.yaml", SHADOW])
def test_every_mounted_volume_is_there_and_every_volume_mounted(file: str) -> None:
    volumes = {volume["name"] for volume in pod(file)["volumes"]}
    assert {mount["name"] for container in containers(file) for mount in container["volumeMounts"]} == volumes


def test_the_config_map_is_mounted_where_the_command_line_looks_for_it() -> None:
    config = next(volume for volume in pod()["volumes"] if volume["name"] == "config")
    assert config["configMap"]["name"] == the("ConfigMap")["metadata"]["name"]
    (file,) = the("ConfigMap")["data"]
    for container in containers():
        mount = next(mount for mount in container["volumeMounts"] if mount["name"] == "config")
        assert f"--config={mount['mountPath']}/{file}" in container["command"]


def test_the_kustomization_has_every_file_but_those_that_say_otherwise() -> None:
    assert KUSTOMIZATION["resources"] == list(FILES)
    for file in FOLDER.glob("*.yaml"):
        if file.name not in (*FILES, "kustomization.yaml"):
            assert "Not part of the kustomization" in " ".join(file.read_text().replace("#", "").split())


def test_all_images_are_of_one_version() -> None:
    (image,) = KUSTOMIZATION["images"]
    tags = {container["image"] for container in (*containers(), *containers(SHADOW))}
    assert tags == {f"{image['newName']}:{image['newTag']}"}


def test_kustomize_makes_the_same_objects() -> None:
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run([kubectl, "kustomize", str(FOLDER)], capture_output=True, text=True, check=True)
    made = [document for document in yaml.safe_load_all(done.stdout) if document]
    assert sorted(made, key=str) == sorted(objects(*FILES), key=str)
