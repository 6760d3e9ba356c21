"""What is in e2e/kind besides Python belongs to the rest of the project."""

import re
from pathlib import Path

import yaml

import pykubeproxy
from e2e.kind.rendering import NODE_LABEL, SERVER
from pykubeproxy.config import check, complete
from pykubeproxy.config.types import LocalMode
from tests.e2e.kind_like import TOPOLOGY

FOLDER = Path(__file__).parents[2] / "e2e/kind"


def test_the_cluster_has_a_node_for_each_of_the_examples() -> None:
    nodes = yaml.safe_load((FOLDER / "cluster.yaml").read_text())["nodes"]
    labels = [node["labels"][NODE_LABEL] for node in nodes if "labels" in node]
    assert labels == [node.name for node in TOPOLOGY.nodes]


def test_the_configuration_leaves_alone_what_containers_cannot_set() -> None:
    (patch,) = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["patches"]
    file = yaml.safe_load(patch["patch"])["data"]["config.conf"]
    completed = complete({"hostname-override": "a"}, file.encode(), hostname="")
    check(completed)
    assert completed.warnings == ()
    assert completed.config.conntrack.max_per_core == 0
    assert completed.config.detect_local_mode == LocalMode.NODE_CIDR


def test_the_image_is_the_one_of_the_manifests() -> None:
    steps = (FOLDER / "steps").read_text()
    assert re.findall(r"^image=(\S+)", steps, re.MULTILINE) == [f"pykubeproxy:{pykubeproxy.__version__}"]


def test_pods_find_their_programs_in_the_image() -> None:
    copied = re.findall(r"^COPY (.+) (\S+)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    assert copied == [("pod_server.py socket_client.py", "/e2e/")]
    assert SERVER == "/e2e/pod_server.py"
    for name in copied[0][0].split():
        assert (FOLDER.parent / name).is_file()
