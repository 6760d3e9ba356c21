"""A node is taken over from kube-proxy, and given back: no connection through a Service fails."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest
from msgspec.structs import replace

from e2e.asking import Destination
from e2e.cluster import RUN, Cluster, open_cluster
from e2e.netns import Namespace
from e2e.topology import CLIENT, Listener, PodSpec, Protocol, Topology, VirtualAddress, client_pod, node_spec
from pykubeproxy.host import nfacct
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.text import LOCALHOST_COUNTER
from pykubeproxy.rules.trie import LEAF_SIZE
from tests.apiserver import testing
from tests.apiserver.objects import JsonObject, read_objects
from tests.chaos.bed import is_in_sync, unharmed, with_path
from tests.corpus import GOLDEN, GOLDEN_NODE, Example, host_addresses
from tests.host.namespace import Namespace as Namespaced
from tests.kernel.kube_proxy import as_kube_proxy_leaves_it, with_localhost_counted
from tests.kernel.machine import Kind
from tests.kernel.stand_ins import StandIns

EXAMPLE = Example(GOLDEN / "dual-stack")
NODE = "node-0"
LINEAR = "--dispatch=linear"
OF_A_SERVICE = re.compile(r"KUBE-(?:SVC|SEP|FW|EXT|XLB)-")

NODES = tuple(replace(node_spec(index), name=f"node-{index}") for index in range(3))
# The endpoints of the golden Service.
ENDPOINTS = (("10.244.0.11", "fd00:10:244::11"), ("10.244.1.12", "fd00:10:244:1::12"), ("10.244.2.13",))
PODS = tuple(
    PodSpec(
        name=f"ds-{index}",
        node=f"node-{index}",
        addresses=tuple(map(ip_address, addresses)),
        listeners=(Listener(protocol=Protocol.TCP, port=8080),),
    )
    for index, addresses in enumerate(ENDPOINTS)
)
TOPOLOGY = Topology(
    nodes=NODES,
    pods=(*PODS, client_pod(NODES[0])),
    outsiders=(CLIENT,),
    virtual_addresses=(VirtualAddress(address=ip_address("198.51.100.7"), node=NODE),),
)
INSIDE = (("10.96.1.1", 80), ("fd00:10:96::11", 80))
OUTSIDE = (("172.31.0.11", 30084), ("fd00:31::11", 30084), ("198.51.100.7", 80))


class Node:
    """The node that changes hands."""

    def __init__(self, cluster: Cluster, backend: Backend) -> None:
        self.cluster = cluster
        self.node = cluster.lab.nodes[NODE]
        self._backend = backend
        self._kinds = [Kind(family=family, backend=backend) for family in Family]
        self._its = (f"--kubeconfig={cluster.kubeconfig}", f"--hostname-override={NODE}")

    def clients(self) -> dict[Namespace, list[Destination]]:
        asked = {self.cluster.lab.pods[f"client-{NODE}"]: INSIDE, self.cluster.lab.outsiders["client"]: OUTSIDE}
        return {
            client: [Destination(address=ip_address(ip), port=port, protocol=Protocol.TCP) for ip, port in its]
            for client, its in asked.items()
        }

    def load(self, documents: dict[str, str]) -> None:
        """Feed rules to iptables-restore, by family; what is there stays. They may count packets to localhost."""
        Namespaced(self.node.name).run(partial(nfacct.ensure, LOCALHOST_COUNTER))
        for kind in self._kinds:
            self.node.exec([f"{kind.program}-restore", "--noflush"], stdin=documents[kind.family.lower()])

    def dump(self) -> dict[str, str]:
        """The live rules, by family."""
        return {kind.family.lower(): self.node.exec([f"{kind.program}-save"]).stdout for kind in self._kinds}

    def rendered(self) -> dict[str, str]:
        """What kube-proxy has for the objects in the API; the golden corpus proves it."""
        flags = [*self._its, *flags_of(self._backend), LINEAR]
        done = self.node.exec([sys.executable, "-m", "pykubeproxy", "render", "--source=api", *flags])
        parts = re.split(r"^# (ipv[46])\n", done.stdout, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    def is_in_sync(self, *flags: str) -> bool:
        return is_in_sync(self.node, [*self._its, *flags_of(self._backend), *flags])

    @contextmanager
    def running(self, tools: StandIns, *flags: str) -> Iterator[None]:
        """The daemon is there, and in the block it has done its first sync; afterwards it is ended."""
        self.cluster.start(NODE, *flags, program=with_path(tools.path, *RUN))
        self.cluster.wait_synced()
        yield
        self.cluster.stop(NODE)


def flags_of(backend: Backend) -> tuple[str, ...]:
    """The rules were measured on a node with these addresses."""
    return (f"--backend={backend}", *EXAMPLE.flags, *host_addresses(GOLDEN_NODE))


@pytest.fixture(name="node")
def fixture_node(tmp_path: Path, backend: Backend) -> Iterator[Node]:
    with open_cluster(TOPOLOGY, tmp_path, flags_of(backend)) as cluster:
        cluster.api.delete("EndpointSlice", "default", "kubernetes")
        cluster.api.load(read_objects(Path(EXAMPLE.objects)))
        yield Node(cluster, backend)


@pytest.fixture(name="tools")
def fixture_tools(tmp_path: Path) -> StandIns:
    return StandIns(tmp_path / "bin").watching()


def more() -> Iterator[JsonObject]:
    """So many Services that the trees of nat and, with those that have no endpoints, of filter have branches."""
    for number in range(60):
        yield testing.service(f"more-{number}", clusterIP=f"10.96.{number % 5 + 2}.{number + 1}")
        if number % 6:
            yield testing.endpoint_slice(f"more-{number}", "10.244.0.11", "10.244.1.12")
    for number in range(2 * LEAF_SIZE):
        yield testing.service(f"idle-{number}", clusterIP=f"10.96.0.{number + 100}")


def kube_proxys(rules: dict[str, str]) -> dict[str, str]:
    """As kube-proxy leaves them: with the rules that it adds in IPv4 where the kernel has nfacct, in some order."""
    counted = rules | {"ipv4": with_localhost_counted(rules["ipv4"])}
    return {family: as_kube_proxy_leaves_it(dump, seed=family) for family, dump in counted.items()}


def test_the_linear_layout_is_taken_over_without_a_write(node: Node, tools: StandIns) -> None:
    node.load(kube_proxys({family: EXAMPLE.saved(family) for family in ("ipv4", "ipv6")}))
    with unharmed(node.clients()), node.running(tools, LINEAR):
        assert tools.calls == []
    assert node.is_in_sync(LINEAR)


def test_the_tree_takes_over_and_kube_proxy_takes_the_node_back(node: Node, tools: StandIns) -> None:
    """It deletes what is stale to it in nat only: branches for many Services without endpoints stay in filter."""
    node.cluster.api.load(more())
    its = node.rendered()
    node.load(kube_proxys(its))
    with unharmed(node.clients()):
        with node.running(tools, "--dispatch=tree"):
            assert tools.calls != []
            assert node.is_in_sync("--dispatch=tree")
        live = node.dump()
        starting = {family: as_kube_proxy_starts(its[family], live[family]) for family in its}
        assert "-X KUBE-SVC-10.96." in starting["ipv4"], "the tree's chains are stale to kube-proxy"
        node.load(starting)
    after = parse(node.dump()["ipv4"].splitlines())
    left = {
        table: {
            each for each in after.tables[table].chains if OF_A_SERVICE.match(each) and f":{each} " not in its["ipv4"]
        }
        for table in ("nat", "filter")
    }
    assert left["nat"] == set()
    assert "KUBE-SVC-10.96.0.0/24" in left["filter"]
    assert all(chain.startswith("KUBE-SVC-10.96.") for chain in left["filter"]), "nothing but branches"
    used = [lines for chain, lines in after.tables["filter"].chains.items() if chain not in left["filter"]]
    assert left["filter"].isdisjoint(target_of(line) for lines in used for line in lines), "nothing leads there"
    node.node.exec([sys.executable, "-m", "pykubeproxy", "cleanup"])
    assert not any("KUBE-SVC-" in dump for dump in node.dump().values())


def as_kube_proxy_starts(wanted: str, live: str) -> str:
    """What kube-proxy writes at its start over rules that it finds: all its chains, each with all its rules.

    And chains whose names are those of Services, but of none that it knows, are deleted.
    """
    found = parse(live.splitlines()).tables["nat"].chains
    text = []
    for table in wanted.split("COMMIT\n"):
        lines = [line for line in table.splitlines() if not re.match(r":[A-Z]+ |-A [A-Z]+ ", line)]
        declared = {line.split()[0][1:] for line in lines if line.startswith(":")}
        stale = [each for each in found if "*nat" in lines and OF_A_SERVICE.match(each) and each not in declared]
        heads = [line for line in lines if not line.startswith("-A ")]
        rules = [line for line in lines if line.startswith("-A ")]
        if heads:
            gone = [f":{chain} - [0:0]" for chain in stale]
            text += [*heads, *gone, *rules, *(f"-X {chain}" for chain in stale), "COMMIT"]
    return "".join(f"{line}\n" for line in text)
