"""Linear and tree dispatch in a real kernel: what the tools take, what they print back, and who answers connections."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pykubeproxy.model.ip import Family
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import render
from tests.builders import options, snapshot
from tests.clusters import deep_cluster
from tests.kernel.machine import Kind, Machine
from tests.kernel.machine import machine as another_machine
from tests.kernel.objects import Manifest, cluster_ip, pod_ip, web, write
from tests.kernel.service_node import (
    REFUSED,
    SILENCE_SECONDS,
    SILENT,
    Place,
    ServiceNode,
    service_node,
)

NODE_ADDRESS = {Family.IPV4: "192.168.0.2", Family.IPV6: "2001:db8::2"}
EXTERNAL = {Family.IPV4: "198.51.100.{}", Family.IPV6: "2001:db8:100::{}"}

# Somebody who should not answer has some chances to; and of two pods, both have been seen in the end: that one of sixty
# pairs is not complete happens in one of 10^16 runs.
LEAST_ROUNDS, MOST_ROUNDS = 12, 60

ENDPOINTS = 130


def test_the_deepest_tree_is_taken_and_printed_back(machine: Machine, kind: Kind) -> None:
    ruleset = compile_ruleset(snapshot(*deep_cluster(kind.family)), options(kind.family, dispatch=Dispatch.TREE))
    machine.load(kind, "".join(f"{line}\n" for line in render(ruleset)))
    live = machine.rules(kind)
    for table, content in ruleset.tables.items():
        for chain, lines in content.chains.items():
            assert live.lines(table, chain) == lines


def test_a_jump_to_a_door_from_another_chain_is_taken_as_well(machine: Machine, kind4: Kind) -> None:
    ruleset = compile_ruleset(snapshot(*deep_cluster(kind4.family)), options(kind4.family, dispatch=Dispatch.TREE))
    machine.load(kind4, "".join(f"{line}\n" for line in render(ruleset)))
    machine.iptables(kind4, "-t", "nat", "-N", "CNI-FIRST")
    machine.iptables(kind4, "-t", "nat", "-A", "CNI-FIRST", "-j", "KUBE-SERVICES")
    machine.iptables(kind4, "-t", "nat", "-A", "PREROUTING", "-j", "CNI-FIRST")


def services(family: Family) -> tuple[list[Manifest], dict[Place, set[str]]]:
    """Services of all kinds with the places where one reaches them, and who answers there."""
    objects: list[Manifest] = []
    answers: dict[Place, set[str]] = {}
    for number in range(1, 121):
        pods = [number, number + 120][: (1, 2, 0, 1, 2, 1)[number % 6]]
        spec: dict[str, object] = {}
        outside: list[Place] = []
        if number % 6 == 3:
            spec = {"type": "NodePort", "port": {"nodePort": 30000 + number}}
            outside = [(NODE_ADDRESS[family], 30000 + number)]
        if number % 6 == 4:
            # Many Services at one address, so that the tree goes on by port.
            address = EXTERNAL[family].format(number % 4)
            spec = {"externalIPs": [address], "port": {"port": 8000 + number}}
            outside = [(address, 8000 + number)]
        if number % 6 == 5:
            spec = {"sessionAffinity": "ClientIP"}
        objects += web(family, number, endpoints=pods, **spec)
        port = 8000 + number if number % 6 == 4 else 80
        for place in [(cluster_ip(family, number), port), *outside]:
            answers[place] = {pod_ip(family, pod) for pod in pods}
    return objects, answers


@pytest.fixture(name="nodes")
def fixture_nodes(machine: Machine, kind: Kind) -> Iterator[dict[Dispatch, ServiceNode]]:
    """Two nodes, one for each layout."""
    with (
        another_machine() as other,
        service_node(machine, kind.family) as first,
        service_node(other, kind.family) as second,
    ):
        yield {Dispatch.LINEAR: first, Dispatch.TREE: second}


def test_connections_find_the_same_services(nodes: dict[Dispatch, ServiceNode], kind: Kind, tmp_path: Path) -> None:
    objects, expected = services(kind.family)
    source = write(tmp_path / "objects.json", objects)
    refused = [place for place, pods in expected.items() if not pods]
    near = [(address, port + 1) for address, port in expected if address != NODE_ADDRESS[kind.family]]
    for dispatch, node in nodes.items():
        done = node.machine.once(source, *kind.flags, "--dispatch", dispatch)
        assert done.returncode == 0, done.stderr
        served = {place: pods for place, pods in expected.items() if pods}
        assert who_answers(node, served) == served
        if kind.family is Family.IPV4:
            assert set(node.ask(refused).values()) == {REFUSED}
        else:  # the kernel does not tell a process of its own about an ICMPv6 message
            assert set(node.ask(refused, seconds=SILENCE_SECONDS).values()) == {SILENT}
        assert set(node.ask(near, seconds=SILENCE_SECONDS).values()) == {SILENT}


def who_answers(node: ServiceNode, expected: dict[Place, set[str]]) -> dict[Place, set[str]]:
    """Who answers in each of these places, asked until all have who should; or somebody has who should not."""
    found: dict[Place, set[str]] = {place: set() for place in expected}
    for number in range(1, MOST_ROUNDS + 1):
        for place, answer in node.ask(expected).items():
            found[place].add(answer)
        is_complete = found == expected and number >= LEAST_ROUNDS
        if is_complete or any(not found[place] <= expected[place] for place in expected):
            break
    return found
