"""A lab whose nodes follow an API server: one `pykubeproxy run` per node, as in a cluster.

The API server stands where the router is, at the router's address on the wire.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e.lab import Lab, open_lab
from e2e.netns import LabError
from e2e.proxies import CONVERGENCE_SECONDS, FLAGS, Proxy, launch, wait
from e2e.topology import WIRE_NETWORKS, Topology, gateway
from tests.apiserver.server import ApiServer
from tests.host.namespace import Namespace as Network

API_ADDRESS = str(gateway(WIRE_NETWORKS[0]))
RUN = (sys.executable, "-m", "pykubeproxy", "run")


class Cluster:
    def __init__(self, lab: Lab, api: ApiServer, folder: Path, flags: Sequence[str] = ()) -> None:
        self.lab = lab
        self.api = api
        self.proxies: dict[str, Proxy] = {}
        self.kubeconfig = api.kubeconfig(folder / "kubeconfig")
        self._folder = folder
        self._flags = tuple(flags)
        self._count = 0

    def start(self, node: str, *flags: str, program: Sequence[str] = RUN) -> Proxy:
        """Start the proxy of a node, in place of one that has ended; its log is a file of its own."""
        self._count += 1
        log = self._folder / f"{node}-{self._count}.log"
        its = (f"--kubeconfig={self.kubeconfig}", f"--hostname-override={node}")
        self.proxies[node] = launch(self.lab.nodes[node], [*program, *its, *FLAGS, *self._flags, *flags], log)
        return self.proxies[node]

    def wait_synced(self) -> None:
        self.wait(lambda: all(proxy.has_synced() for proxy in self.proxies.values()), "first sync of every node")

    def stop(self, node: str) -> None:
        proxy = self.proxies.pop(node)
        proxy.process.terminate()
        if status := proxy.process.wait(CONVERGENCE_SECONDS):
            raise LabError(f"proxy on {node} ended with status {status}: {proxy.last_line}")

    def kill(self, node: str) -> None:
        proxy = self.proxies.pop(node)
        proxy.process.kill()
        proxy.process.wait()

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = CONVERGENCE_SECONDS) -> None:
        """Wait for something while all proxies run. Raises LabError if it does not come, or one of them ends."""
        wait(self.proxies.values(), condition, what, seconds)


@contextmanager
def open_cluster(topology: Topology, folder: Path, flags: Sequence[str] = ()) -> Iterator[Cluster]:
    """Build the lab and its API server, without objects or proxies.

    Logs and the kubeconfig go to `folder`; `flags` are for every proxy. Nothing but that folder is left at the end.
    """
    with open_lab(topology) as lab:
        router = Network(f"{lab.prefix}router")
        # Like a real server, it gives up a version from the future before its clients give it up.
        with router.run(lambda: ApiServer(host=API_ADDRESS, patience=0.5)) as api:
            cluster = Cluster(lab, api, folder, flags)
            try:
                yield cluster
            finally:
                for node in tuple(cluster.proxies):
                    cluster.kill(node)
