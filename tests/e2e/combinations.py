"""Three nodes with every kind of Service, built once for each combination of backend and dispatch."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from e2e.cluster import Cluster, open_cluster
from e2e.lab import has_sctp, missing
from e2e.three_nodes.asker import Asker
from e2e.three_nodes.services import OBJECTS, topology

needs_a_lab = pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}")


class Combination(Struct, frozen=True, kw_only=True):
    """Which iptables tools, and which layout of the chains that find a packet's Service."""

    backend: str
    dispatch: str

    def __str__(self) -> str:
        return f"{self.backend}-{self.dispatch}"


class ThreeNodes(Struct, frozen=True, kw_only=True):
    """The running cluster, and a client in each place from which something is asked."""

    cluster: Cluster
    asker: Asker
    backend: str


ALL = tuple(Combination(backend=each, dispatch=layout) for each in ("nft", "legacy") for layout in ("tree", "linear"))

# That both layouts mean the same is proven purely, and that both tools print the same by the golden corpus: two
# combinations have every tool and every layout, the others wait for the night.
BY_DAY = (ALL[0], ALL[-1])

on_every_combination = pytest.mark.parametrize(
    "three_nodes",
    [each if each in BY_DAY else pytest.param(each, marks=pytest.mark.night) for each in ALL],
    indirect=True,
    scope="session",
    ids=str,
)
on_both_tools_and_layouts = pytest.mark.parametrize("three_nodes", BY_DAY, indirect=True, scope="session", ids=str)


@contextmanager
def open_three_nodes(
    backend: str, folder: Path, start: Callable[[Cluster, str], object], flags: Sequence[str] = ()
) -> Iterator[ThreeNodes]:
    """Build the cluster, load the Services, `start` the proxy of every node, and wait until all are served."""
    if lack := missing():
        pytest.skip(lack)
    if shutil.which(f"iptables-{backend}") is None:
        pytest.skip(f"there is no iptables-{backend}")
    with open_cluster(topology(sctp=has_sctp()), folder, flags) as cluster:
        cluster.api.load(OBJECTS)
        for node in cluster.lab.nodes:
            start(cluster, node)
        cluster.wait_synced()
        yield ThreeNodes(cluster=cluster, asker=Asker(cluster), backend=backend)


def has_rule(cluster: Cluster, node: str, *words: str) -> bool:
    """Whether a node has a rule, of either family and in either backend's tables, with all these words."""
    tools = ("iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save")
    dumps = (cluster.lab.nodes[node].exec([tool]).stdout for tool in tools)
    return any(all(word in line for word in words) for dump in dumps for line in dump.splitlines())
