"""The three nodes of e2e/, each with the proxy in a container made as manifests/overlays/replace asks for it."""

import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from msgspec import Struct

from e2e.cluster import Cluster, open_cluster
from e2e.lab import has_sctp
from e2e.resident import Residents
from e2e.three_nodes.asker import Asker
from e2e.three_nodes.services import OBJECTS, topology
from tests.manifests.reading import containers, the
from tests.security import containment

PROJECT = Path(__file__).parents[2]
KUBE_PROXY = Path(sysconfig.get_path("scripts"), "kube-proxy")

# What an image has in other places.
_PROGRAMS = (PROJECT, Path(sys.prefix), Path(sys.base_prefix))


class Contained(Struct, frozen=True, kw_only=True):
    """The running cluster, who asks in it, and which iptables tools it uses."""

    cluster: Cluster
    asker: Asker
    residents: Residents
    backend: str


@contextmanager
def open_contained(backend: str, folder: Path) -> Iterator[Contained]:
    """Build the cluster; on each node, run the init container to its end, and then start the other."""
    lock = folder / "xtables.lock"
    lock.touch()
    with open_cluster(topology(sctp=has_sctp()), folder) as cluster:
        cluster.load(OBJECTS)
        config = write_config(folder)
        for name, node in cluster.lab.nodes.items():
            init, proxy = (command(each, config, name, backend) for each in containers())
            node.exec(init)
            cluster.start(name, program=containment.argv(lock, (folder, *_PROGRAMS), proxy))
        cluster.wait(lambda: all(proxy.has_synced() for proxy in cluster.proxies.values()), "the first syncs")
        with Residents() as residents:
            asker = Asker(cluster, residents)
            yield Contained(cluster=cluster, asker=asker, residents=residents, backend=backend)


def write_config(folder: Path) -> Path:
    """The DaemonSet's configuration, but for where the API server is, and how soon it syncs."""
    config = yaml.safe_load(the("ConfigMap")["data"]["config.conf"])
    config |= {
        "clientConnection": {"kubeconfig": str(folder / "kubeconfig")},
        "iptables": {"minSyncPeriod": "10ms"},
    }
    path = folder / "config.conf"
    path.write_text(yaml.safe_dump(config))
    return path


def command(container: dict[str, Sequence[str]], config: Path, node: str, backend: str) -> list[str]:
    """The container's command line, with this configuration and node."""
    words = {
        "kube-proxy": str(KUBE_PROXY),
        "--config=/var/lib/kube-proxy/config.conf": f"--config={config}",
        "--hostname-override=$(NODE_NAME)": f"--hostname-override={node}",
    }
    return [*(words.get(word, word) for word in container["command"]), f"--backend={backend}", "--log-format=json"]
