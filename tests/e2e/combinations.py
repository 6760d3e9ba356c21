"""Three nodes with every kind of Service, built once for each combination of backend and dispatch."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from e2e.cluster import Cluster, open_cluster
from e2e.lab import missing
from e2e.three_nodes.asker import Asker
from e2e.three_nodes.services import OBJECTS, topology

needs_a_lab = pytest.mark.skipif(missing() is not None, reason=f"no lab can be built here: {missing()}")


class ThreeNodes(Struct, frozen=True, kw_only=True):
    """The running cluster, and a client in each place from which something is asked."""

    cluster: Cluster
    asker: Asker
    backend: str


# That both layouts mean the same is proven purely, and that both tools print the same by the golden corpus: two
# combinations have every tool and every layout.
on_both_tools_and_layouts = pytest.mark.parametrize(
    "three_nodes", ["nft-tree", "legacy-linear"], indirect=True, scope="package"
)


@contextmanager
def open_three_nodes(
    backend: str, folder: Path, start: Callable[[Cluster, str], object], flags: Sequence[str] = ()
) -> Iterator[ThreeNodes]:
    """Build the cluster, load the Services, `start` the proxy of every node, and wait until all are served."""
    if lack := missing():
        pytest.skip(lack)
    if shutil.which(f"iptables-{backend}") is None:
        pytest.skip(f"there is no iptables-{backend}")
    with open_cluster(topology(), folder, flags) as cluster:
        cluster.api.load(OBJECTS)
        for node in cluster.lab.nodes:
            start(cluster, node)
        cluster.wait_synced()
        yield ThreeNodes(cluster=cluster, asker=Asker(cluster), backend=backend)


def has_rule(nodes: ThreeNodes, node: str, *words: str) -> bool:
    """Whether a node has a rule, of either family, with all these words."""
    dumps = [
        nodes.cluster.lab.nodes[node].exec([f"{tool}-{nodes.backend}-save"]).stdout
        for tool in ("iptables", "ip6tables")
    ]
    return any(all(word in line for word in words) for dump in dumps for line in dump.splitlines())
