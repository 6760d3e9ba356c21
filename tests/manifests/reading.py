"""The objects of manifests/, by kind."""

from pathlib import Path
from typing import Any

import yaml

JsonObject = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "manifests"
FILES = ("rbac.yaml", "configmap.yaml", "daemonset.yaml")
SHADOW = "shadow.yaml"


def objects(*files: str) -> list[JsonObject]:
    """All objects of these files, in order."""
    return [document for file in files for document in yaml.safe_load_all((FOLDER / file).read_text())]


def the(kind: str, file: str = "") -> JsonObject:
    """The only object of a kind, in one file or in all that the kustomization has."""
    (found,) = [each for each in objects(*([file] if file else FILES)) if each["kind"] == kind]
    return found


def pod(file: str = "daemonset.yaml") -> JsonObject:
    """The pod's spec in a DaemonSet."""
    spec: JsonObject = the("DaemonSet", file)["spec"]["template"]["spec"]
    return spec


def containers(file: str = "daemonset.yaml") -> list[JsonObject]:
    """All containers of a DaemonSet, those for initialisation first."""
    return [*pod(file).get("initContainers", ()), *pod(file)["containers"]]


def main(file: str = "daemonset.yaml") -> JsonObject:
    """The container that keeps running."""
    (container,) = pod(file)["containers"]
    assert isinstance(container, dict)
    return container
