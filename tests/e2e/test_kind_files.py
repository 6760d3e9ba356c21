"""What is in e2e/kind besides Python belongs to the rest of the project."""

import re

import yaml

import pykubeproxy
from e2e.kind.cluster import OUTSIDER_PREFIX
from e2e.kind.rendering import SERVER
from e2e.kind.scenarios import SCENARIOS
from e2e.three_nodes.places import ZONES
from tests.e2e.kind_like import KIND as FOLDER
from tests.e2e.kind_like import workers

ALL = [made() for made in SCENARIOS.values()]


def test_the_cluster_has_a_node_for_each_of_the_scenarios() -> None:
    nodes = yaml.safe_load((FOLDER / "cluster.yaml").read_text())["nodes"]
    assert len(nodes) == 1 + len(workers())
    assert workers().keys() == {node.name for scenario in ALL for node in scenario.topology.nodes}


def test_nodes_are_in_their_zones() -> None:
    assert {name: labels["topology.kubernetes.io/zone"] for name, labels in workers().items()} == ZONES


def test_machines_outside_are_removed_in_the_end() -> None:
    (line,) = re.findall(r"^outsiders=\((.+)\)$", (FOLDER / "steps").read_text(), re.MULTILINE)
    assert set(line.split()) == {OUTSIDER_PREFIX + each.name for made in ALL for each in made.topology.outsiders}


def test_the_image_is_the_one_of_the_manifests() -> None:
    steps = (FOLDER / "steps").read_text()
    assert re.findall(r"^image=(\S+)", steps, re.MULTILINE) == [f"pykubeproxy:{pykubeproxy.__version__}"]


def test_pods_find_their_programs_in_the_image() -> None:
    copied = re.findall(r"^COPY (.+) (\S+)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    assert copied == [("pod_server.py socket_client.py", "/e2e/")]
    assert SERVER == "/e2e/pod_server.py"
    for name in copied[0][0].split():
        assert (FOLDER.parent / name).is_file()
