"""What every chaos case stands on: a cluster, Services in it that must never notice anything, and others that change.

The daemon under test runs on node-a. Whoever asks does so from a pod on that node and from outside of the cluster; pods
that answer are on both nodes.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from e2e.asking import Destination, Fate, ask
from e2e.cluster import Cluster, open_cluster
from e2e.proxies import Proxy
from e2e.topology import Address, Listener, PodSpec, Protocol, Topology, plain_topology
from tests.apiserver import testing
from tests.apiserver.objects import JsonObject
from tests.apiserver.server import ApiServer
from tests.chaos.asking import Sent, traffic, unharmed
from tests.chaos.live import is_in_sync

IS_FULL = os.environ.get("PYKUBEPROXY_CHAOS") == "full"
SEED = int(os.environ.get("PYKUBEPROXY_CHAOS_SEED", "1"))

NODE = "node-a"
PORTS = {Protocol.TCP: 80, Protocol.UDP: 53}
TARGETS = {Protocol.TCP: 8080, Protocol.UDP: 5353}
NODE_PORTS = {Protocol.TCP: 30080, Protocol.UDP: 30053}
TOPOLOGY = plain_topology(2, 2, tuple(Listener(protocol=each, port=port) for each, port in TARGETS.items()))
PODS = tuple(pod for pod in TOPOLOGY.pods if pod.listeners)

STEADY = 0
"""The number of the Service that is asked all the time; it never changes."""

RUN = (sys.executable, "-m", "pykubeproxy", "run")
SHORT_TIMEOUTS = (sys.executable, str(Path(__file__).parents[1] / "daemon" / "short_timeouts.py"), "run")

# Less than the 30 s after which the daemon looks at all rules anyway, which must not be what puts them right.
SYNC_SECONDS = 25.0


def name(number: int) -> str:
    """The name of a Service."""
    return f"web-{number}"


def addresses(number: int) -> tuple[IPv4Address, IPv6Address]:
    """The cluster IPs of a Service; `number` is less than 16,000."""
    return IPv4Address("10.96.64.0") + number, IPv6Address("fd00:10:96::4000") + number


def objects(number: int, pods: Sequence[PodSpec], **spec: object) -> Iterator[JsonObject]:
    """A Service of both families, with a port of each protocol, and its slices; `spec` replaces or adds fields."""
    ips = [str(address) for address in addresses(number)]
    ports = [
        {"name": each.lower(), "port": port, "protocol": each, "targetPort": TARGETS[each]}
        for each, port in PORTS.items()
    ]
    families: dict[str, Any] = {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}
    fields: dict[str, Any] = families | {"clusterIP": ips[0], "clusterIPs": ips, "ports": ports} | spec
    yield testing.service(name(number), **fields)
    for index, family in enumerate(("IPv4", "IPv6")):
        yield testing.endpoint_slice(
            f"{name(number)}-{family.lower()}",
            of=name(number),
            addressType=family,
            endpoints=[
                {"addresses": [str(pod.addresses[index])], "conditions": {"ready": True}, "nodeName": pod.node}
                for pod in pods
            ],
            ports=[{"name": each.lower(), "port": port, "protocol": each} for each, port in TARGETS.items()],
        )


def steady_objects() -> Iterator[JsonObject]:
    """The Service that is asked all the time, with node ports."""
    ports = [
        {
            "name": each.lower(),
            "port": port,
            "protocol": each,
            "targetPort": TARGETS[each],
            "nodePort": NODE_PORTS[each],
        }
        for each, port in PORTS.items()
    ]
    return objects(STEADY, (PODS[0], PODS[2]), type="NodePort", ports=ports)


def cluster_ips(number: int = STEADY) -> list[Destination]:
    """A Service by its cluster IPs: each family with each protocol."""
    return _all_of(addresses(number), PORTS)


def node_ports() -> list[Destination]:
    """The steady Service by its node ports on the node under test."""
    return _all_of(TOPOLOGY.nodes[0].addresses, NODE_PORTS)


def pods_themselves() -> list[Destination]:
    """Pods by their own addresses, without any Service: one on the node under test, one elsewhere."""
    return [each for pod in (PODS[1], PODS[3]) for each in _all_of(pod.addresses, TARGETS)]


def _all_of(ips: Sequence[Address], ports: dict[Protocol, int]) -> list[Destination]:
    return [Destination(address=ip, port=port, protocol=each) for ip in ips for each, port in ports.items()]


class Bed:
    """A cluster, and the daemon on one of its nodes."""

    def __init__(self, cluster: Cluster, folder: Path, flags: Sequence[str]) -> None:
        self.cluster = cluster
        self.folder = folder
        self.node = cluster.lab.node(NODE)
        self.client = cluster.lab.pod(f"client-{NODE}")
        self._asking = cluster.lab.pod(PODS[0].name)
        self.outside = cluster.lab.outsider("client")
        self._flags = tuple(flags)
        self.backend = next(flag.partition("=")[2] for flag in flags if flag.startswith("--backend="))

    @property
    def api(self) -> ApiServer:
        """The API server."""
        return self.cluster.api

    @property
    def proxy(self) -> Proxy:
        """The daemon that runs now."""
        return self.cluster.proxies[NODE]

    @property
    def pid(self) -> int:
        """Its process."""
        return self.proxy.process.pid

    def start(self, *flags: str, program: Sequence[str] = RUN, path: str | None = None) -> Proxy:
        """Start the daemon, and wait for its first sync; `path` is put in front of PATH."""
        proxy = self.launch(*flags, program=program, path=path)
        self.cluster.wait(proxy.has_synced, "first sync")
        return proxy

    def launch(self, *flags: str, program: Sequence[str] = RUN, path: str | None = None) -> Proxy:
        """Start the daemon."""
        environment = () if path is None else ("env", f"PATH={path}{os.pathsep}{os.environ['PATH']}")
        return self.cluster.start(NODE, *flags, program=(*environment, *program))

    def load(self, number: int, *pods: PodSpec) -> None:
        """Create or change a Service, so that just these pods are behind it."""
        self.cluster.load(objects(number, pods))

    def is_in_sync(self) -> bool:
        """True if the live rules are those that the objects in the API amount to."""
        its = (f"--kubeconfig={self.folder / 'kubeconfig'}", f"--hostname-override={NODE}")
        return is_in_sync(self.node, [*its, *self._flags])

    def wait_in_sync(self) -> None:
        """Wait until the rules are as they should be, without any further change."""
        self.cluster.wait(self.is_in_sync, "state in sync", SYNC_SECONDS)

    def wait_converged(self) -> None:
        """Wait until all that was asked for is in force: one more change, and with it everything before."""
        for pod in (PODS[1], PODS[3]):
            self.load(1, pod)
            for destination in cluster_ips(1):
                self.wait_answer(destination, pod.name)
        self.wait_in_sync()

    def wait_answer(self, destination: Destination, pod: str) -> None:
        """Wait until this pod answers."""
        self.cluster.wait(lambda: self.answer(destination) == pod, f"answer of {pod} from {destination}", SYNC_SECONDS)

    def answer(self, destination: Destination, *, seconds: float = 1.0) -> str | None:
        """The pod that answers one on the node in time, or None; not the one that is asking all the time."""
        outcome = ask(self._asking, destination, seconds=seconds)
        return outcome.reply.pod if outcome.fate is Fate.ANSWERED and outcome.reply else None

    def dump(self, tool: str = "iptables-nft") -> str:
        """The live rules without counters and comments."""
        saved = self.node.exec([f"{tool}-save"]).stdout
        return re.sub(r"^#.*\n|(?<=[A-Z-]) \[\d+:\d+\]$", "", saved, flags=re.MULTILINE)

    def unharmed(self) -> AbstractContextManager[Sent]:
        """During the block, the steady Service and pods are asked all the time; then nothing may have failed."""
        return unharmed({self.client: [*cluster_ips(), *pods_themselves()], self.outside: node_ports()})

    def traffic(self, *destinations: list[Destination]) -> AbstractContextManager[Sent]:
        """During the block, the pod asks these all the time."""
        return traffic({self.client: [each for its in destinations for each in its]})


@contextmanager
def open_bed(folder: Path, *flags: str, topology: Topology = TOPOLOGY) -> Iterator[Bed]:
    """A cluster with the steady Service; the daemon is not started yet."""
    with open_cluster(topology, folder, flags) as cluster:
        cluster.load([testing.node(NODE, *(str(ip_address(each)) for each in TOPOLOGY.nodes[0].addresses))])
        cluster.load(steady_objects())
        yield Bed(cluster, folder, flags)
