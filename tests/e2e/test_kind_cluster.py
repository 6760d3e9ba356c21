"""A cluster is prepared in the right order, and read back as it is; with stand-ins for kubectl and docker."""

import os
from ipaddress import ip_address
from pathlib import Path

import pytest
from msgspec.structs import replace

from e2e.kind import cluster
from e2e.netns import LabError
from e2e.topology import CLIENT
from tests.e2e.kind_like import TOPOLOGY, applied, calls, install

MOVED = replace(
    TOPOLOGY,
    nodes=tuple(
        replace(node, addresses=(ip_address(f"172.18.0.{number}"), ip_address(f"fc00::{number}")))
        for number, node in enumerate(TOPOLOGY.nodes, 2)
    ),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = install(tmp_path, MOVED)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    monkeypatch.delenv("LAB", raising=False)
    return tmp_path


def test_pods_come_before_what_needs_their_addresses(folder: Path) -> None:
    cluster.prepare("image:1")
    first, second = applied(folder)
    assert {each["kind"] for each in first} == {"Namespace", "Pod"}
    assert {each["kind"] for each in second} == {"Service", "EndpointSlice"}
    made = calls(folder)
    order = [
        next(index for index, call in enumerate(made) if call.startswith(start))
        for start in ("kubectl apply", "kubectl wait", "docker run", "kubectl patch", "docker exec")
    ]
    assert order == sorted(order)


def test_load_balancers_get_their_addresses_and_outsiders_the_way_to_them(folder: Path) -> None:
    cluster.prepare("image:1")
    made = calls(folder)
    patched = [call.split()[5] for call in made if call.startswith("kubectl patch")]
    assert sorted(patched) == ["office", "portal", "store"]
    for outsider in ("client", "stranger"):
        assert f"docker exec pykubeproxy-{outsider} ip -4 route replace 192.0.2.10 via 172.18.0.2" in made


def test_the_cluster_is_read_as_it_is(folder: Path) -> None:
    topology = cluster.live_topology()
    assert topology.nodes[0].addresses == MOVED.nodes[0].addresses
    assert topology.pods == MOVED.pods
    assert topology.outsiders[0].addresses == CLIENT.addresses
    services = cluster.live_services().services
    assert services["infra/dns"].spec.ports[0].target_port == 5353


def test_a_pod_that_is_not_there_is_named(folder: Path) -> None:
    (folder / "pods").write_text('{"items": []}')
    with pytest.raises(LabError, match=r"no pod \S+, or it has no address: .*prepare"):
        cluster.live_topology()


def test_an_answer_that_makes_no_sense_is_told_in_a_line(folder: Path) -> None:
    (folder / "nodes").write_text("Error from server")
    with pytest.raises(LabError, match="the cluster's answer is not a NodeList"):
        cluster.live_topology()


def test_a_tool_that_is_not_there_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(LabError, match="cannot run kubectl"):
        cluster.live_topology()
