"""Who answers connections: in both layouts, at ports that no Service has, and what is counted and observed of them."""

import json
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from pykubeproxy.host import nfacct
from pykubeproxy.host.netlink import NetlinkError
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.text import LOCALHOST_COUNTER
from tests.host.namespace import Namespace
from tests.kernel.machine import Machine
from tests.kernel.node import Node
from tests.kernel.objects import Manifest, cluster_ip, pod_ip, web
from tests.kernel.service_node import (
    NODE_ADDRESSES,
    REFUSED,
    SILENCE_SECONDS,
    SILENT,
    Client,
    Place,
    neighbour,
    service_node,
)
from tests.kernel.stand_ins import put_script

EXTERNAL = {Family.IPV4: "198.51.100.{}", Family.IPV6: "2001:db8:100::{}"}
NODE_PORT = 30080

# Somebody who should not answer has some chances to; and of two pods, both have been seen in the end: that one of sixty
# pairs is not complete happens in one of 10^16 runs.
LEAST_ROUNDS, MOST_ROUNDS = 12, 60


def services(family: Family) -> tuple[list[Manifest], dict[Place, set[str]]]:
    """Services of all kinds with the places where one reaches them, and who answers there."""
    objects: list[Manifest] = []
    answers: dict[Place, set[str]] = {}
    for number in range(1, 121):
        pods = [number, number + 120][: (1, 2, 0, 1, 2, 1)[number % 6]]
        places: list[Place] = [(cluster_ip(family, number), 8000 + number if number % 6 == 4 else 80)]
        spec: dict[str, object] = {}
        if number % 6 == 3:
            spec = {"type": "NodePort", "port": {"nodePort": 30000 + number}}
            places.append((NODE_ADDRESSES[family], 30000 + number))
        if number % 6 == 4:
            # Many Services at one address, so that the tree goes on by port.
            address = EXTERNAL[family].format(number % 4)
            spec = {"externalIPs": [address], "port": {"port": 8000 + number}}
            places.append((address, 8000 + number))
        if number % 6 == 5:
            spec = {"sessionAffinity": "ClientIP"}
        objects += web(family, number, endpoints=pods, **spec)
        answers |= {place: {pod_ip(family, pod) for pod in pods} for place in places}
    return objects, answers


@pytest.mark.parametrize("dispatch", Dispatch)
def test_connections_find_their_services_and_no_other_ones(node: Node, dispatch: Dispatch) -> None:
    objects, expected = services(node.family)
    node.write(objects)
    served = {place: pods for place, pods in expected.items() if pods}
    near = [(address, port + 1) for address, port in expected if address != NODE_ADDRESSES[node.family]]
    with service_node(node.machine, node.family) as its:
        node.sync("--dispatch", dispatch)
        assert who_answers(its, served) == served
        without_pods = expected.keys() - served.keys()
        if node.family is Family.IPV4:
            assert set(its.ask(without_pods).values()) == {REFUSED}
        else:  # the kernel does not tell a process of its own about an ICMPv6 message
            assert set(its.ask(without_pods, seconds=SILENCE_SECONDS).values()) == {SILENT}
        assert set(its.ask(near, seconds=SILENCE_SECONDS).values()) == {SILENT}


def who_answers(node: Client, expected: dict[Place, set[str]]) -> dict[Place, set[str]]:
    """Who answers in each of these places, asked until all have who should; or somebody has who should not."""
    found: dict[Place, set[str]] = {place: set() for place in expected}
    for number in range(1, MOST_ROUNDS + 1):
        for place, answer in node.ask(expected).items():
            found[place].add(answer)
        is_complete = found == expected and number >= LEAST_ROUNDS
        if is_complete or any(not found[place] <= expected[place] for place in expected):
            break
    return found


def test_unused_ports_are_refused_if_that_is_asked_for(node: Node) -> None:
    pod, balanced = pod_ip(node.family, 1), EXTERNAL[node.family].format(7)
    service, *slices = node.web(1, endpoints=[pod], type="LoadBalancer")
    service["status"] = {"loadBalancer": {"ingress": [{"ip": balanced}]}}
    node.write([service, *slices])
    refusing = ("--reject-unused-ports", "all")
    used = {(cluster_ip(node.family, 1), 80): pod, (balanced, 80): pod}
    unused = [(address, 81) for address, _ in used]
    with service_node(node.machine, node.family) as its, neighbour(node.machine, node.family) as client:
        node.sync()
        assert client.ask([*used, *unused], seconds=SILENCE_SECONDS) == used | dict.fromkeys(unused, SILENT)
        node.sync(*refusing)
        assert client.ask([*used, *unused]) == used | dict.fromkeys(unused, REFUSED)
        assert its.ask(unused[:1]) == {unused[0]: REFUSED}
        assert node.diff(*refusing).returncode == 0
        (view,) = node.document("services")["services"]
        # An IPv6 client tries again when it is refused by ICMP.
        assert (packets := view["packetsToUnusedPorts"]) >= 3
        assert view["says"] == [f"{packets} packets to unused ports refused"]
        node.sync()
        assert client.ask(unused, seconds=SILENCE_SECONDS) == dict.fromkeys(unused, SILENT)


LOCALHOST, OUTSIDE = ("127.0.0.1", NODE_PORT), (NODE_ADDRESSES[Family.IPV4], NODE_PORT)


@pytest.fixture
def on_node_port(node4: Node) -> Iterator[Client]:
    """A node with a Service on a node port, and a kernel that counts."""
    node4.write(node4.web(1, (1, 2), type="NodePort", port={"nodePort": NODE_PORT}))
    with service_node(node4.machine, node4.family) as its:
        yield its


def counted(machine: Machine) -> int | None:
    """Packets to node ports on localhost, as the kernel's nfacct has counted them where kube-proxy counts them."""
    try:
        return Namespace(machine.name).run(partial(nfacct.packets, LOCALHOST_COUNTER))
    except NetlinkError as error:
        pytest.skip(f"this kernel has no nfacct: {error}")


@pytest.mark.parametrize("dispatch", Dispatch)
def test_what_goes_to_localhost_is_counted_and_nothing_else(
    node4: Node, on_node_port: Client, dispatch: Dispatch
) -> None:
    node4.once("--dry-run", "--dispatch", dispatch)
    assert counted(node4.machine) is None, "shadow mode makes no counter"
    node4.sync("--dispatch", dispatch)
    assert counted(node4.machine) == 0
    for _ in range(3):
        assert on_node_port.ask([LOCALHOST])[LOCALHOST].startswith("10.244.0.")
    assert on_node_port.ask([OUTSIDE])[OUTSIDE].startswith("10.244.0.")
    assert counted(node4.machine) == 3
    before = node4.dump("-c")
    assert "in sync; nothing to write" in node4.sync("--dispatch", dispatch).stderr
    assert node4.dump("-c") == before, "it is read back as it was written"
    assert node4.diff("--dispatch", dispatch).returncode == 0


def test_where_iptables_cannot_count_one_line_says_so(node4: Node, on_node_port: Client) -> None:
    counted(node4.machine)
    tools = node4.stand_ins()
    put_script(
        tools.folder / node4.kind.program, f'[ "$2" = nfacct ] && exit 2\nexec /usr/sbin/{node4.kind.program} "$@"'
    )
    done = node4.sync(path=tools.path)
    assert done.stderr.count("packets to node ports on localhost are not counted") == 1
    assert "nfacct" not in node4.dump()
    assert on_node_port.ask([LOCALHOST])[LOCALHOST].startswith("10.244.0.")


def check(machine: Machine) -> tuple[int, dict[str, dict[str, Any]]]:
    """How `check --for nftables` exits, and what it says of what nftables mode does not have, by kind."""
    done = machine.pykubeproxy("check", "--for", "nftables", "--output", "json")
    assert done.stderr == ""
    found = json.loads(done.stdout)["observations"]
    return done.returncode, {each["kind"]: each for each in found}


def test_what_is_used_before_a_move_to_nftables_is_found(node4: Node, on_node_port: Client) -> None:
    other = "198.51.100.7"
    node4.machine.ip([f"address add {other}/32 dev swallow"])
    node4.sync()

    def connection(address: str) -> socket.socket:
        """One to the node port, that stays open."""
        return on_node_port.namespace.run(lambda: socket.create_connection((address, NODE_PORT), timeout=10))

    with connection(OUTSIDE[0]):
        status, found = check(node4.machine)
        assert (status, found["NodePortsNarrowed"]["addresses"]) == (0, 1)
        assert "NobodyLeadsHere" in found
        with connection(other), connection("127.0.0.1"):
            status, found = check(node4.machine)
    assert status == 1
    assert found["NodePortsElsewhere"]["uses"] == [{"address": other, "connections": 1}]
    assert found["LocalhostUsed"]["connections"] == 1
