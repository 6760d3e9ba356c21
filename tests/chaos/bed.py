"""What every chaos case stands on: a cluster, Services in it that must never notice anything, and others that change.

The daemon under test runs on node-a. Whoever asks does so from a pod on that node and from outside of the cluster; pods
that answer are on both nodes.
"""

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random

import pytest
from msgspec import Struct

from e2e.asking import Destination, Tally, ask, steady_traffic
from e2e.cluster import RUN, Cluster, open_cluster
from e2e.netns import Namespace
from e2e.objects import NAMESPACE, JsonObject, Member, cluster_ips, node, port, service, slices
from e2e.proxies import Proxy
from e2e.topology import Address, Listener, PodSpec, Protocol, plain_topology
from pykubeproxy.host.backend import Backend
from tests.apiserver.server import ApiServer

IS_FULL = os.environ.get("PYKUBEPROXY_CHAOS") == "full"
SEED = int(os.environ.get("PYKUBEPROXY_CHAOS_SEED", "1"))
REPAIRED = "rules were changed by another program; repaired"

NODE = "node-a"
PORTS = {Protocol.TCP: 80, Protocol.UDP: 53}
TARGETS = {Protocol.TCP: 8080, Protocol.UDP: 5353}
NODE_PORTS = {Protocol.TCP: 30080, Protocol.UDP: 30053}
TOPOLOGY = plain_topology(2, 2, tuple(Listener(protocol=each, port=port) for each, port in TARGETS.items()))
PODS = tuple(pod for pod in TOPOLOGY.pods if pod.listeners)

STEADY = 0
"""The number of the Service that is asked all the time; it never changes."""
CHURNED = range(100, 130)
"""The numbers of those that come and go."""

SHORT_TIMEOUTS = (sys.executable, str(Path(__file__).parents[1] / "daemon" / "short_timeouts.py"), "run")

# Less than the 30 s after which the daemon looks at all rules anyway, which must not be what puts them right.
SYNC_SECONDS = 25.0
DIFF_SECONDS = 60.0

on_nft = pytest.mark.parametrize("backend", [Backend.NFT], indirect=True)
on_legacy = pytest.mark.parametrize("backend", [Backend.LEGACY], indirect=True)
# Where it makes no difference; `make chaos` has a second run with the other one.
on_any = pytest.mark.parametrize(
    "backend", [Backend(os.environ.get("PYKUBEPROXY_CHAOS_BACKEND", "nft"))], indirect=True, ids=["any"]
)


def first_ip(number: int) -> int:
    """Services are counted from an address on, so that others have room below."""
    return 0x4000 + number


def objects(
    number: int, pods: Sequence[PodSpec], node_ports: Mapping[Protocol, int], **spec: object
) -> list[JsonObject]:
    """A Service of both families, with a port of each protocol, and its slices; `spec` replaces or adds fields."""
    ports = [
        port(PORTS[each], TARGETS[each], name=each.lower(), protocol=each, node_port=node_ports.get(each))
        for each in PORTS
    ]
    made = service(f"web-{number}", first_ip(number), *ports)
    made["spec"] |= spec
    return [made, *slices(made, [Member(pod=pod) for pod in pods])]


def web(number: int = STEADY) -> list[Destination]:
    """A Service by its cluster IPs: each family with each protocol."""
    return _all_of(cluster_ips(first_ip(number)), PORTS)


def pods_themselves() -> list[Destination]:
    """Pods by their own addresses, without any Service: one on the node under test, one elsewhere."""
    return [each for pod in (PODS[1], PODS[3]) for each in _all_of(pod.addresses, TARGETS)]


def _all_of(ips: Sequence[Address], ports: Mapping[Protocol, int]) -> list[Destination]:
    return [Destination(address=ip, port=port, protocol=each) for ip in ips for each, port in ports.items()]


@contextmanager
def unharmed(destinations: Mapping[Namespace, list[Destination]]) -> Iterator[Tally]:
    """During the block, all is asked all the time: nothing may fail, and no first packet of a connection be lost."""
    lost = [_lost_packets(origin) for origin in destinations]
    with steady_traffic(destinations, kept=True, interval=0.05) as sent:
        yield sent
    assert not sent.failures, f"{len(sent.failures)} of {sent.asked} failed, first {sent.failures[:3]}"
    lost_since = [_lost_packets(origin) - before for origin, before in zip(destinations, lost, strict=True)]
    assert not any(lost_since), f"first packets of connections were lost, by client: {lost_since}"


def _lost_packets(origin: Namespace) -> int:
    """How many first packets of connections had to be sent again (TCPSynRetrans of Linux's SNMP counters)."""
    lines = origin.exec(["cat", "/proc/net/netstat"]).stdout.splitlines()
    names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
    return int(dict(zip(names, values, strict=True))["TCPSynRetrans"])


def with_path(folder: str, *program: str) -> tuple[str, ...]:
    """The command line of a program that looks for others in this folder first."""
    return ("env", f"PATH={folder}{os.pathsep}{os.environ['PATH']}", *program)


class Bed:
    """A cluster, and the daemon on one of its nodes."""

    def __init__(self, cluster: Cluster, backend: Backend) -> None:
        self.cluster = cluster
        self.api: ApiServer = cluster.api
        self.backend = backend
        self.tools = (f"iptables-{backend}", f"ip6tables-{backend}")
        self.node = cluster.lab.nodes[NODE]
        self.client = cluster.lab.pods[f"client-{NODE}"]
        self.flags = (f"--kubeconfig={cluster.kubeconfig}", f"--hostname-override={NODE}", f"--backend={backend}")

    @property
    def proxy(self) -> Proxy:
        return self.cluster.proxies[NODE]

    @property
    def pid(self) -> int:
        return self.proxy.process.pid

    def launch(self, *flags: str, program: Sequence[str] = RUN) -> Proxy:
        return self.cluster.start(NODE, *flags, program=program)

    def start(self, *flags: str, program: Sequence[str] = RUN) -> Proxy:
        """Start the daemon, and wait for its first sync."""
        proxy = self.launch(*flags, program=program)
        self.cluster.wait_synced()
        return proxy

    def load(self, number: int, *pods: PodSpec) -> None:
        """Create or change a Service, so that just these pods are behind it."""
        self.api.load(objects(number, pods, {}))

    def wait_in_sync(self, *flags: str) -> None:
        """Wait until `pykubeproxy diff` finds nothing: the rules are as they should be, without any further change."""

        def is_in_sync() -> bool:
            command = [sys.executable, "-m", "pykubeproxy", "diff", *self.flags, *flags]
            done = self.node.exec(command, check=False, seconds=DIFF_SECONDS)
            assert done.returncode in (0, 1), done.stderr
            return done.returncode == 0

        self.cluster.wait(is_in_sync, "state in sync", SYNC_SECONDS)

    def wait_converged(self) -> None:
        """Wait until all that was asked for is in force: one more change, and with it everything before."""
        for pod in (PODS[1], PODS[3]):
            self.load(1, pod)
            for destination in web(1):
                self.wait_answer(destination, pod)
        self.wait_in_sync()

    def wait_answer(self, destination: Destination, pod: PodSpec) -> None:
        """Wait until this pod answers."""
        what = f"answer of {pod.name} from {destination}"
        self.cluster.wait(lambda: self.answer(destination) == pod.name, what, SYNC_SECONDS)

    def wait_told(self, event: str, what: str) -> None:
        """Wait until the daemon has said so."""
        self.cluster.wait(lambda: self.proxy.told(event) != [], what)

    def answer(self, destination: Destination, *, seconds: float = 1.0) -> str:
        """The pod that answers one on the node in time, or what comes instead; not the one that asks all the time."""
        return ask(self.cluster.lab.pods[PODS[0].name], destination, seconds=seconds).who

    def dump(self, tool: str = "") -> str:
        saved = self.node.exec([f"{tool or self.tools[0]}-save"]).stdout
        return re.sub(r"^#.*\n|(?<=[A-Z-]) \[\d+:\d+\]$", "", saved, flags=re.MULTILINE)

    def flush(self, table: str, tool: str = "") -> None:
        """What another program may do: remove all rules of a table, of IPv4 if no tool is named."""
        self.node.exec([tool or self.tools[0], "-t", table, "-F"])

    def flush_until_repaired(self) -> None:
        """The same of filter, which no connection may notice."""
        right = self.dump()
        self.flush("filter")
        self.cluster.wait(lambda: self.dump() == right, "repair")

    def page(self, port: int, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{port}{path}"
        said = self.node.exec(["curl", "-s", "-m", "5", "-w", "\n%{http_code}", url], check=False).stdout
        body, _, status = said.rpartition("\n")
        return int(status), body

    def metric(self, name: str) -> float:
        """The sum of the samples of a metric."""
        return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", self.page(10249, "/metrics")[1], re.MULTILINE)))

    def unharmed(self) -> AbstractContextManager[Tally]:
        """During the block, the steady Service and pods are asked all the time; then nothing may have failed."""
        outside = _all_of(self.node.spec.addresses, NODE_PORTS)
        return unharmed({self.client: [*web(), *pods_themselves()], self.cluster.lab.outsiders["client"]: outside})

    def traffic(self, destinations: list[Destination]) -> AbstractContextManager[Tally]:
        return steady_traffic({self.client: destinations}, kept=True, interval=0.05)


@contextmanager
def open_bed(folder: Path, backend: Backend) -> Iterator[Bed]:
    """A cluster with the steady Service; the daemon is not started yet."""
    with open_cluster(TOPOLOGY, folder, [f"--backend={backend}"]) as cluster:
        cluster.api.load([node(TOPOLOGY.nodes[0])])
        cluster.api.load(objects(STEADY, (PODS[0], PODS[2]), NODE_PORTS, type="NodePort"))
        yield Bed(cluster, backend)


def memory(pid: int, field: str = "VmRSS") -> int:
    """How much memory of a process is resident, or with VmHWM the most that ever was, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


@contextmanager
def meanwhile(do: Callable[[threading.Event], None]) -> Iterator[None]:
    """During the block, something is done in a thread, until the event is set; an error in it is raised at the end."""
    is_over = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(do, is_over)
        try:
            yield
        finally:
            is_over.set()
    done.result()


class Churn(Struct):
    """How many changes there were so far."""

    steps: int = 0


@contextmanager
def churning(api: ApiServer, rate: float = 50) -> Iterator[Churn]:
    """During the block, so many times a second a Service is created, deleted, or gets other endpoints or ports.

    At random, and the same way for the same seed, which a failure tells.
    """
    churn, existing, random = Churn(), set[int](), Random(SEED)  # noqa: S311  it has to be repeatable

    def go_on(is_over: threading.Event) -> None:
        begun = time.monotonic()
        while not is_over.wait(max(0.0, begun + churn.steps / rate - time.monotonic())):
            churn.steps += 1
            number = random.choice(CHURNED)
            if number in existing and random.random() < 0.2:
                existing.discard(number)
                for kind, its in (("Service", ""), ("EndpointSlice", "-ipv4"), ("EndpointSlice", "-ipv6")):
                    api.delete(kind, NAMESPACE, f"web-{number}{its}")
                continue
            existing.add(number)
            pods = random.sample(PODS, random.randint(0, 3))
            api.load(objects(number, pods, {}, sessionAffinity=random.choice(["None", "ClientIP"])))

    try:
        with meanwhile(go_on):
            yield churn
    except BaseException as error:
        error.add_note(f"PYKUBEPROXY_CHAOS_SEED={SEED}")
        raise
