"""Large restores in sections: no connection is lost while everything is written anew."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from e2e import asking
from e2e.lab import missing, open_lab
from e2e.topology import Listener, Protocol, plain_topology
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.options import Dispatch
from tests.chaos.bed import unharmed
from tests.kernel.machine import IPV4_KINDS, Machine, why_without
from tests.kernel.node import Node
from tests.kernel.objects import Manifest, cluster_ip, web

NFT = next(kind for kind in IPV4_KINDS if kind.backend is Backend.NFT)
SEVERAL = 600

# What is asked in a lab of one node with pods of its own.
PORTS = {Protocol.TCP: 80, Protocol.UDP: 53}
TARGETS = {Protocol.TCP: 8080, Protocol.UDP: 5353}
TOPOLOGY = plain_topology(1, 3, tuple(Listener(protocol=each, port=port) for each, port in TARGETS.items()))
PODS = tuple(pod for pod in TOPOLOGY.pods if pod.listeners)
ASKED = (0, SEVERAL + 1)


def cluster(number: int, generation: int = 0) -> Iterator[Manifest]:
    """Some Services with two endpoints each, of which the second is another one in each generation."""
    for index in range(1, number + 1):
        yield from web(
            Family.IPV4, index, endpoints=[f"10.244.{index % 250}.1", f"10.244.{index % 250}.{2 + generation}"]
        )


@pytest.fixture(autouse=True)
def _has_nft() -> None:
    if lack := why_without(NFT):
        pytest.skip(lack)


def test_connections_do_not_notice_that_everything_is_written_anew(tmp_path: Path) -> None:
    """From a pod, from outside by node ports, and from the node; over TCP and UDP; by new and by kept sockets."""
    if lack := missing():
        pytest.skip(lack)
    with open_lab(TOPOLOGY) as lab:
        host = lab.nodes["node-a"]
        node = Node(Machine(name=host.name, processes=host.processes), NFT, tmp_path)
        node.write(cluster(SEVERAL), asked(0))
        node.sync()
        asked_ports = [(number, port, protocol) for number in ASKED for protocol, port in PORTS.items()]
        cluster_ips = [
            asking.Destination(address=ip_address(cluster_ip(Family.IPV4, number)), port=port, protocol=protocol)
            for number, port, protocol in asked_ports
        ]
        node_ports = [
            asking.Destination(address=host.spec.addresses[0], port=node_port(number, port), protocol=protocol)
            for number, port, protocol in asked_ports
        ]
        origins = {lab.pods["client-node-a"]: cluster_ips, host: cluster_ips, lab.outsiders["client"]: node_ports}
        with unharmed(origins) as sent:
            for generation, dispatch in enumerate((Dispatch.LINEAR, Dispatch.TREE), 1):
                node.write(cluster(SEVERAL, generation), asked(generation))
                node.sync("--dispatch", dispatch)
    assert sent.pods == {pod.name for pod in PODS}, "the Services that were asked were written anew as well"


def asked(generation: int) -> Iterator[Manifest]:
    """Services that are asked, first and last of all; of three pods, two others are behind them in each generation."""
    pods = [str(PODS[(generation + index) % len(PODS)].addresses[0]) for index in range(2)]
    for number in ASKED:
        made, its_slice = web(Family.IPV4, number, pods, type="NodePort")
        made["spec"]["ports"] = [
            {"name": each.lower(), "protocol": each, "port": port, "nodePort": node_port(number, port)}
            for each, port in PORTS.items()
        ]
        its_slice["ports"] = [{"name": each.lower(), "protocol": each, "port": port} for each, port in TARGETS.items()]
        yield from (made, its_slice)


def node_port(number: int, port: int) -> int:
    """The node port for a port of an asked Service."""
    return 30000 + 100 * ASKED.index(number) + port


@pytest.mark.parametrize(("choice", "is_divided"), [("auto", True), ("single", False)])
def test_how_often_is_committed(node4: Node, choice: str, *, is_divided: bool) -> None:
    written = node4.folder / "input"
    node4.write(cluster(SEVERAL))
    node4.sync("--commit", choice, path=node4.stand_ins().copying_to(written).path)
    tables = re.findall(r"^\*(\w+)$", written.read_text(), flags=re.MULTILINE)
    assert (len(tables) > 3) is (is_divided and node4.kind.backend is Backend.NFT)
    assert set(tables) == {"filter", "nat"}
    assert tables[0] == "nat", "with so many Services, it is written before everything is compiled"
    assert "nothing to write" in node4.sync("--commit", choice).stderr
