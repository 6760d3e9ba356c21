"""Large restores in sections: no connection is lost, and whatever ends them early leaves Services old or new."""

import re
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from e2e import asking
from e2e.lab import missing, open_lab
from e2e.topology import Listener, Protocol, plain_topology
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from pykubeproxy.model.snapshot import Object
from pykubeproxy.rules.compile import compile_ruleset
from pykubeproxy.rules.names import ChainNames
from pykubeproxy.rules.options import Dispatch
from pykubeproxy.rules.ruleset import Ruleset
from tests.builders import options, port, service, service_port, slice_of, snapshot
from tests.chaos.bed import unharmed
from tests.kernel.machine import IPV4_KINDS, Kind, Machine, why_without
from tests.kernel.objects import Manifest, cluster_ip, web, write
from tests.kernel.service_node import Place, ServiceNode, service_node
from tests.kernel.stand_ins import StandIns
from tests.packets import CLIENTS, Client, Destination, Fate, Walk, destinations

NFT = next(kind for kind in IPV4_KINDS if kind.backend is Backend.NFT)
MANY, SEVERAL = 2000, 600
WATCHED = range(1, MANY, 20)

# What is asked in a lab of one node with pods of its own.
PORTS = {Protocol.TCP: 80, Protocol.UDP: 53}
TARGETS = {Protocol.TCP: 8080, Protocol.UDP: 5353}
TOPOLOGY = plain_topology(1, 3, tuple(Listener(protocol=each, port=port) for each, port in TARGETS.items()))
PODS = tuple(pod for pod in TOPOLOGY.pods if pod.listeners)
ASKED = (0, SEVERAL + 1)


def cluster(number: int, generation: int = 0) -> list[Manifest]:
    """Some Services with two endpoints each, of which the second is another one in each generation."""
    return [
        obj
        for index in range(1, number + 1)
        for obj in web(
            Family.IPV4, index, endpoints=[f"10.244.{index % 250}.1", f"10.244.{index % 250}.{2 + generation}"]
        )
    ]


@contextmanager
def connecting(node: ServiceNode, places: list[Place]) -> Iterator[None]:
    """Connect round and round for as long as this is open; then none may have been lost, and all rightly answered."""
    is_over = threading.Event()
    lost = node.lost_packets()
    with ThreadPoolExecutor(1) as client:
        answers = client.submit(node.connect_often, places, lambda _made: is_over.is_set())
        try:
            yield
        finally:
            is_over.set()
    assert len({place for place, _ in answers.result()}) == len(places)
    assert answers.result().total() > 10 * len(places)
    for (address, _), pod in answers.result():
        assert pod.split(".")[2] == str(web_number(address) % 250), f"{address} has no endpoint {pod}"
    assert node.lost_packets() == lost, "each first packet of a connection was answered"


def web_number(address: str) -> int:
    """The Service with a cluster IP."""
    *_, high, low = map(int, address.split("."))
    return (high - 1) * 200 + low - 1


@pytest.fixture(autouse=True)
def _has_nft() -> None:
    if lack := why_without(NFT):
        pytest.skip(lack)


def test_connections_do_not_notice_that_everything_is_written_anew(machine: Machine, tmp_path: Path) -> None:
    source = write(tmp_path / "objects.json", cluster(MANY))
    with service_node(machine, Family.IPV4) as node:
        sync(machine, source)
        with connecting(node, [(cluster_ip(Family.IPV4, number), 80) for number in WATCHED]):
            for generation, dispatch in enumerate((Dispatch.LINEAR, Dispatch.TREE), 1):
                write(source, cluster(MANY, generation))
                sync(machine, source, "--dispatch", dispatch)
            live = machine.rules(NFT)
            for number in WATCHED[:5]:
                machine.iptables(NFT, "-t", "nat", "-F", policy_chain(number + 1))
            assert not same(machine.rules(NFT), live)
            sync(machine, source)
    assert same(machine.rules(NFT), live)


def test_forwarded_and_kept_connections_do_not_notice_it_either(tmp_path: Path) -> None:
    """From a pod, from outside by node ports, and from the node; over TCP and UDP; by new and by kept sockets."""
    if lack := missing():
        pytest.skip(lack)
    with open_lab(TOPOLOGY) as lab:
        node = lab.nodes["node-a"]
        machine = Machine(name=node.name, processes=node.processes)
        source = write(tmp_path / "objects.json", cluster(SEVERAL), asked(0))
        sync(machine, source)
        cluster_ips = [
            asking.Destination(address=ip_address(cluster_ip(Family.IPV4, number)), port=port, protocol=each)
            for number in ASKED
            for each, port in PORTS.items()
        ]
        node_ports = [
            asking.Destination(address=node.spec.addresses[0], port=node_port(number, port), protocol=each)
            for number in ASKED
            for each, port in PORTS.items()
        ]
        origins = {lab.pods["client-node-a"]: cluster_ips, node: cluster_ips, lab.outsiders["client"]: node_ports}
        with unharmed(origins) as sent:
            for generation, dispatch in enumerate((Dispatch.LINEAR, Dispatch.TREE), 1):
                write(source, cluster(SEVERAL, generation), asked(generation))
                sync(machine, source, "--dispatch", dispatch)
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


def policy_chain(number: int) -> str:
    """The chain that spreads the traffic of a Service over its endpoints."""
    return ChainNames(service_port(f"default/web-{number}", ports=(port("http"),))).cluster


def sync(machine: Machine, source: Path, *arguments: str) -> None:
    done = machine.once(source, *NFT.flags, *arguments)
    assert done.returncode == 0, done.stderr


def same(one: Ruleset, other: Ruleset) -> bool:
    return {name: table.chains for name, table in one.tables.items()} == {
        name: table.chains for name, table in other.tables.items()
    }


def restore(machine: Machine, lines: Iterable[str]) -> None:
    machine.load(NFT, "".join(f"{line}\n" for line in lines))


def ruleset(dispatch: Dispatch, generation: int) -> Ruleset:
    """The rules of some Services. In the next generation an endpoint is another one; some Services come and some go."""
    objects: list[Object] = []
    for number in range(40 * generation, 240 + 40 * generation):
        name, pods = f"ns/s{number}", (f"10.244.{number % 250}.1", f"10.244.{number % 250}.{2 + generation}")
        # Some have no endpoints before, and others none after.
        is_empty = number % 10 == generation
        objects += [service(name, f"10.96.{number // 200}.{number % 200 + 1}")]
        objects += [slice_of(name, *(() if is_empty else pods))]
    return compile_ruleset(snapshot(*objects), options(dispatch=dispatch))


class Services:
    """What packets to Services meet under old and under new rules."""

    def __init__(self, old: Ruleset, new: Ruleset) -> None:
        self._asked = destinations(old, Family.IPV4) | destinations(new, Family.IPV4)
        self._old, self._new = self._fates(old), self._fates(new)

    def check(self, live: Ruleset) -> None:
        """Under `live` ones, they meet what they do under the old rules, or under the new ones."""
        now = self._fates(live)
        assert [packet for packet, fate in now.items() if fate not in (self._old[packet], self._new[packet])] == []

    def _fates(self, ruleset: Ruleset) -> dict[tuple[Destination, Client], Fate]:
        return Walk(ruleset).fates(self._asked, CLIENTS[Family.IPV4][-1:])


@pytest.mark.parametrize(("choice", "is_divided"), [("auto", True), ("single", False)])
def test_how_often_is_committed(
    machine: Machine, kind4: Kind, choice: str, *, is_divided: bool, tmp_path: Path
) -> None:
    tools = StandIns(tmp_path / "bin").copying_to(tmp_path / "input")
    source = write(tmp_path / "objects.json", cluster(SEVERAL))
    assert machine.once(source, *kind4.flags, "--commit", choice, path=tools.path).returncode == 0
    tables = re.findall(r"^\*(\w+)$", (tmp_path / "input").read_text(), flags=re.MULTILINE)
    assert (len(tables) > 3) is (is_divided and kind4.backend is Backend.NFT)
    assert set(tables) == {"filter", "nat"}
    assert tables[0] == "nat", "with so many Services, it is written before everything is compiled"
    assert "nothing to write" in machine.once(source, *kind4.flags, "--commit", choice).stderr
