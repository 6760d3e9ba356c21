"""A node is taken over from kube-proxy, and given back: no connection through a Service fails."""

import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from e2e.asking import Destination
from e2e.cluster import Cluster, open_cluster
from e2e.kube_proxy import UNMANAGED, plain_tools
from e2e.netns import Namespace
from e2e.proxies import Proxy, launch
from e2e.topology import (
    CLIENT,
    Listener,
    NodeSpec,
    PodSpec,
    Protocol,
    Topology,
    VirtualAddress,
    client_pod,
)
from pykubeproxy.host import nfacct
from pykubeproxy.host.backend import Backend
from pykubeproxy.model.ip import Family
from pykubeproxy.rules.parse import parse
from pykubeproxy.rules.reading import target_of
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.rules.text import LOCALHOST_COUNTER
from pykubeproxy.rules.trie import LEAF_SIZE
from tests.apiserver import testing
from tests.apiserver.objects import JsonObject, read_objects
from tests.chaos.asking import unharmed
from tests.chaos.live import is_in_sync
from tests.corpus import GOLDEN, GOLDEN_NODE, Example, host_addresses
from tests.host.namespace import Namespace as Namespaced
from tests.kernel.kube_proxy import as_kube_proxy_leaves_it, with_localhost_counted
from tests.kernel.machine import Kind
from tests.kernel.stand_ins import StandIns

EXAMPLE = Example(GOLDEN / "dual-stack")
NODE = "node-0"
MORE = 60
STALE = re.compile(r"KUBE-(?:SVC|SEP|FW|EXT|XLB)-")

NODES = tuple(
    NodeSpec(
        name=f"node-{index}",
        addresses=(ip_address(f"172.31.0.{11 + index}"), ip_address(f"fd00:31::{11 + index}")),
        pod_networks=(ip_network(f"10.244.{index}.0/24"), ip_network(f"fd00:10:244:{index}::/64")),
    )
    for index in range(3)
)
# The endpoints of the golden Service.
PODS = tuple(
    PodSpec(
        name=f"ds-{index}",
        node=f"node-{index}",
        addresses=tuple(map(ip_address, addresses)),
        listeners=(Listener(protocol=Protocol.TCP, port=8080),),
    )
    for index, addresses in enumerate(
        (("10.244.0.11", "fd00:10:244::11"), ("10.244.1.12", "fd00:10:244:1::12"), ("10.244.2.13",))
    )
)
TOPOLOGY = Topology(
    nodes=NODES,
    pods=(*PODS, client_pod(NODES[0])),
    outsiders=(CLIENT,),
    virtual_addresses=(VirtualAddress(address=ip_address("198.51.100.7"), node=NODE),),
)


def through(address: str, port: int = 80) -> Destination:
    return Destination(address=ip_address(address), port=port, protocol=Protocol.TCP)


def kube_proxy() -> tuple[str, ...]:
    """kube-proxy's command line."""
    its = os.environ.get("KUBE_PROXY_BIN")
    return (its,) if its else (sysconfig.get_path("scripts") + "/kube-proxy", "--dispatch=linear")


INSIDE = [through("10.96.1.1"), through("fd00:10:96::11")]
OUTSIDE = [through("172.31.0.11", 30084), through("fd00:31::11", 30084), through("198.51.100.7")]


class Node:
    """The node that changes hands."""

    def __init__(self, cluster: Cluster, folder: Path, flags: tuple[str, ...], backend: Backend) -> None:
        self.cluster = cluster
        self._folder = folder
        self._flags = flags
        self._backend = backend
        self._kinds = [Kind(family=family, backend=backend) for family in Family]
        self.node = cluster.lab.node(NODE)

    def clients(self) -> dict[Namespace, list[Destination]]:
        return {self.cluster.lab.pod(f"client-{NODE}"): INSIDE, self.cluster.lab.outsider("client"): OUTSIDE}

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
        command = [sys.executable, "-m", "pykubeproxy", "render", "--source=api", *self._its, *self._flags]
        parts = re.split(r"^# (ipv[46])\n", self.node.exec([*command, "--dispatch=linear"]).stdout, flags=re.MULTILINE)
        return as_counted(dict(zip(parts[1::2], parts[2::2], strict=True)))

    def start_kube_proxy(self, folder: Path) -> Proxy:
        """Start kube-proxy, with the tools of this backend."""
        tools = plain_tools(folder, self._backend)
        path = f"PATH={tools}{os.pathsep}{os.environ['PATH']}"
        flags = (*self._its, "--proxy-mode=iptables", *UNMANAGED, *EXAMPLE.flags)
        return launch(self.node, ["env", path, *kube_proxy(), *flags], folder.with_suffix(".log"))

    def cleanup(self) -> None:
        """Remove all rules of a Service proxy."""
        self.node.exec([sys.executable, "-m", "pykubeproxy", "cleanup", f"--backend={self._backend}"])

    def is_in_sync(self, *flags: str) -> bool:
        return is_in_sync(self.node, [*self._its, *self._flags, *flags])

    @property
    def _its(self) -> tuple[str, str]:
        return f"--kubeconfig={self._folder / 'kubeconfig'}", f"--hostname-override={NODE}"


@pytest.fixture(name="node")
def fixture_node(tmp_path: Path, backend: Backend) -> Iterator[Node]:
    # The rules were measured on a node with these addresses.
    flags = (f"--backend={backend}", *EXAMPLE.flags, *host_addresses(GOLDEN_NODE))
    with open_cluster(TOPOLOGY, tmp_path, flags) as cluster:
        cluster.api.delete("EndpointSlice", "default", "kubernetes")
        cluster.load(read_objects(Path(EXAMPLE.objects)))
        yield Node(cluster, tmp_path, flags, backend)


@pytest.fixture(name="more")
def fixture_more(node: Node) -> Node:
    """With so many Services that a tree has branches."""
    node.cluster.load(more())
    return node


def more() -> Iterator[JsonObject]:
    for number in range(MORE):
        yield testing.service(f"more-{number}", clusterIP=f"10.96.{number % 5 + 2}.{number + 1}")
        if number % 6:
            yield testing.endpoint_slice(f"more-{number}", "10.244.0.11", "10.244.1.12")


def measured() -> dict[str, str]:
    return as_counted({family: EXAMPLE.saved(family) for family in ("ipv4", "ipv6")})


def as_counted(rules: dict[str, str]) -> dict[str, str]:
    """With the rules that kube-proxy adds in IPv4 where the kernel has nfacct."""
    return rules | {"ipv4": with_localhost_counted(rules["ipv4"])}


@contextmanager
def taking_over(node: Node, rules: dict[str, str], *flags: str, path: str) -> Iterator[None]:
    """Rules of kube-proxy are there, and the daemon begins; in the block it has done so."""
    node.load({family: as_kube_proxy_leaves_it(dump, seed=family) for family, dump in rules.items()})
    with unharmed(node.clients()), running(node, *flags, path=path):
        yield


@contextmanager
def running(node: Node, *flags: str, path: str) -> Iterator[None]:
    """The daemon is there, and in the block it has done its first sync; afterwards it is ended, if it still runs."""
    program = ("env", f"PATH={path}{os.pathsep}{os.environ['PATH']}", sys.executable, "-m", "pykubeproxy", "run")
    proxy = node.cluster.start(NODE, *flags, program=program)
    node.cluster.wait(proxy.has_synced, "first sync")
    yield
    if NODE in node.cluster.proxies:
        node.cluster.stop(NODE)


def test_the_linear_layout_is_taken_over_without_a_write(node: Node, tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin").watching()
    with taking_over(node, measured(), "--dispatch=linear", path=tools.path):
        assert tools.calls == []
    assert node.is_in_sync("--dispatch=linear")


def test_the_tree_takes_over_and_no_connection_fails(more: Node, tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin").watching()
    with taking_over(more, more.rendered(), "--dispatch=tree", path=tools.path):
        assert tools.calls != []
    assert more.is_in_sync("--dispatch=tree")


def test_kube_proxy_takes_the_node_back_and_no_connection_fails(more: Node, tmp_path: Path) -> None:
    tools = StandIns(tmp_path / "bin").watching()
    its = more.rendered()
    with taking_over(more, its, "--dispatch=tree", path=tools.path):
        more.cluster.stop(NODE)
        live = more.dump()
        starting = {family: as_kube_proxy_starts(its[family], live[family]) for family in its}
        assert "-X KUBE-SVC-10.96." in starting["ipv4"], "the tree's chains are stale to kube-proxy"
        more.load(starting)
    assert more.is_in_sync("--dispatch=linear")


def test_what_kube_proxy_leaves_in_filter_is_harmless_and_goes_with_a_cleanup(more: Node, tmp_path: Path) -> None:
    """It deletes what is stale to it in nat only: branches for many Services without endpoints stay in filter."""
    more.cluster.load(without_endpoints())
    tools = StandIns(tmp_path / "bin").watching()
    its = more.rendered()
    with taking_over(more, its, "--dispatch=tree", path=tools.path):
        more.cluster.stop(NODE)
        live = more.dump()
        more.load({family: as_kube_proxy_starts(its[family], live[family]) for family in its})
        after = parse(more.dump()["ipv4"].splitlines())
    left = stale(after, its["ipv4"])
    assert left["nat"] == set()
    assert "KUBE-SVC-10.96.0.0/24" in left["filter"]
    assert all(chain.startswith("KUBE-SVC-10.96.") for chain in left["filter"]), "nothing but branches"
    used = {chain: lines for chain, lines in after.tables["filter"].chains.items() if chain not in left["filter"]}
    assert left["filter"].isdisjoint(target_of(line) for lines in used.values() for line in lines), (
        "nothing leads there"
    )
    more.cleanup()
    assert not any("KUBE-SVC-" in dump for dump in more.dump().values())


def without_endpoints() -> Iterator[JsonObject]:
    """More Services than one chain of filter takes."""
    for number in range(2 * LEAF_SIZE):
        yield testing.service(f"idle-{number}", clusterIP=f"10.96.0.{number + 100}")


def stale(live: Ruleset, wanted: str) -> dict[str, set[str]]:
    """The chains with names of Services that are not in a document of wanted rules."""
    return {
        table: {chain for chain in live.tables[table].chains if STALE.match(chain) and f":{chain} " not in wanted}
        for table in ("nat", "filter")
    }


def test_a_node_changes_hands_there_and_back_while_kube_proxy_runs(more: Node, tmp_path: Path) -> None:
    """kube-proxy is KUBE_PROXY_BIN, or else this project's program of that name: which shows that this can pass."""
    tools = StandIns(tmp_path / "bin").watching()
    theirs = more.start_kube_proxy(tmp_path / "theirs")
    more.cluster.wait(lambda: more.is_in_sync("--dispatch=linear"), "diff that says: no changes")
    with unharmed(more.clients()):
        for dispatch in ("linear", "tree"):
            theirs.process.terminate()
            theirs.process.wait()
            with running(more, f"--dispatch={dispatch}", path=tools.path):
                assert more.is_in_sync(f"--dispatch={dispatch}")
                assert (tools.calls == []) == (dispatch == "linear")
            theirs = more.start_kube_proxy(tmp_path / f"theirs-after-{dispatch}")
            more.cluster.wait(lambda: more.is_in_sync("--dispatch=linear"), "kube-proxy's layout again")
    theirs.process.terminate()


def as_kube_proxy_starts(wanted: str, live: str) -> str:
    """What kube-proxy writes at its start over rules that it finds: all its chains, each with all its rules.

    And chains whose names are those of Services, but of none that it knows, are deleted.
    """
    found = parse(live.splitlines()).tables["nat"].chains
    text = []
    for table in wanted.split("COMMIT\n"):
        lines = [line for line in table.splitlines() if not re.match(r":[A-Z]+ |-A [A-Z]+ ", line)]
        declared = {line.split()[0][1:] for line in lines if line.startswith(":")}
        stale = [chain for chain in found if "*nat" in lines and STALE.match(chain) and chain not in declared]
        heads = [line for line in lines if not line.startswith("-A ")]
        rules = [line for line in lines if line.startswith("-A ")]
        if heads:
            gone = [f":{chain} - [0:0]" for chain in stale]
            text += [*heads, *gone, *rules, *(f"-X {chain}" for chain in stale), "COMMIT"]
    return "".join(f"{line}\n" for line in text)
