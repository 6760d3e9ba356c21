"""The way into the places from which questions are asked."""

import sys
from collections.abc import Sequence

from e2e.asking import SOCKET_CLIENT
from e2e.kind import places
from e2e.kind.scenarios import three_nodes
from e2e.processes import Processes

PROCESSES = Processes()
LAB = places.lab(three_nodes().topology, PROCESSES, namespace="three-nodes", prefix="pykubeproxy-")
IN_POD = ["kubectl", "exec", "--stdin", "--namespace", "three-nodes"]


def test_pods_and_nodes_are_entered_by_kubectl() -> None:
    assert LAB.pods["a1"].argv(["curl", "x"]) == [*IN_POD, "a1", "--", "curl", "x"]
    assert LAB.nodes["node-c"].argv(["curl", "x"]) == [*IN_POD, "host-node-c", "--", "curl", "x"]


def test_machines_outside_are_entered_by_docker() -> None:
    argv = LAB.outsiders["balancer"].argv(["curl", "x"])
    assert argv == ["docker", "exec", "--interactive", "pykubeproxy-balancer", "curl", "x"]


def test_programs_are_where_the_image_has_them() -> None:
    argv = LAB.pods["a1"].argv([sys.executable, "-IS", str(SOCKET_CLIENT)])
    assert argv[-3:] == ["python3", "-IS", "/e2e/socket_client.py"]


class Here(places.Entered, frozen=True, kw_only=True):
    def argv(self, command: Sequence[str]) -> list[str]:
        return list(command)


def test_what_stays_there_is_tied_to_nothing_but_its_standard_input() -> None:
    process = Here(name="here", processes=PROCESSES).popen(["cat"])
    assert process.args == ["cat"]
    assert process.communicate("gone\n", timeout=30)[0] == "gone\n"
