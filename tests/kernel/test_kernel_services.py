"""`services` on a live node: with the tools of each backend, in both layouts, and without rights."""

import json
from pathlib import Path

import pytest

from tests.kernel.counted import all_pods_here, attempt
from tests.kernel.machine import COMMAND, Kind, Machine
from tests.kernel.objects import cluster_ip, web, write


@pytest.mark.parametrize("dispatch", ["tree", "linear"])
def test_what_the_rules_of_this_node_know(machine: Machine, kind: Kind, tmp_path: Path, dispatch: str) -> None:
    objects = (web(kind.family, 1, endpoints=(1, 2, 3)), web(kind.family, 2, endpoints=()))
    source = write(tmp_path / "objects.json", *objects)
    assert machine.once(source, "--dispatch", dispatch, *kind.flags).returncode == 0
    before = machine.dump(kind)
    listed = machine.pykubeproxy("services", *kind.flags)
    assert (listed.returncode, listed.stderr) == (0, "")
    rows = [line.split() for line in listed.stdout.splitlines()[1:-1]]
    assert [(row[0], row[2], row[4]) for row in rows] == [
        ("default/web-1:http", cluster_ip(kind.family, 1), "3"),
        ("default/web-2:http", cluster_ip(kind.family, 2), "0"),
    ]
    assert rows[1][5:] == ["refused", "(0", "packets):", "no", "endpoints"]
    beside = write(tmp_path / "others.json", objects[0], web(kind.family, 3))
    compared = machine.pykubeproxy("services", "--output", "json", "-f", str(beside), *kind.flags)
    assert compared.returncode == 1
    assert json.loads(compared.stdout)["unequal"] == [
        {"family": kind.family, "onlyInObjects": ["default/web-3:http"], "onlyInRules": ["default/web-2:http"]}
    ]
    assert machine.dump(kind) == before


def test_connections_that_are_refused_count(machine: Machine, kind: Kind, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", web(kind.family, 1, endpoints=()))
    machine.once(source, *kind.flags)
    with all_pods_here(machine, kind.family):
        for _ in range(3):
            attempt(machine, cluster_ip(kind.family, 1), kind.family)
    document = json.loads(machine.pykubeproxy("services", "--output", "json", *kind.flags).stdout)
    ((refused,),) = [view["refused"] for view in document["services"]]
    assert (refused["traffic"], refused["reason"], refused["packets"]) == ("internal", "has no endpoints", 3)
    assert document["services"][0]["says"] == ["refused (3 packets): no endpoints"]


def test_without_rights(machine: Machine, kind4: Kind) -> None:
    command = ["setpriv", "--bounding-set", "-net_admin,-net_raw", *COMMAND, "services", *kind4.flags]
    refused = machine.exec(command, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Error: ")
