"""The objects that the overlays of manifests/ make, by kind: what `kubectl kustomize` prints of them."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

JsonObject = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "manifests"
REPLACE = "overlays/replace"
SHADOW = "overlays/shadow"
KIND = "overlays/kind"


@cache
def objects(overlay: str = REPLACE, folder: Path = FOLDER) -> tuple[JsonObject, ...]:
    """All objects of this overlay."""
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [str(kubectl), "kustomize", str(folder / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(yaml.safe_load_all(done.stdout))


def the(kind: str, overlay: str = REPLACE) -> JsonObject:
    """The only object of a kind in this overlay."""
    (found,) = [each for each in objects(overlay) if each["kind"] == kind]
    return found


def pod(overlay: str = REPLACE) -> JsonObject:
    """The pod's spec in the DaemonSet."""
    spec: JsonObject = the("DaemonSet", overlay)["spec"]["template"]["spec"]
    return spec


def containers(overlay: str = REPLACE) -> list[JsonObject]:
    """All containers of the DaemonSet, those for initialisation first."""
    return [*pod(overlay)["initContainers"], *pod(overlay)["containers"]]


def main(overlay: str = REPLACE) -> JsonObject:
    """The container that keeps running."""
    container: JsonObject = pod(overlay)["containers"][0]
    return container
