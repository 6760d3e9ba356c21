"""A cluster's network on one machine: builds a topology out of network namespaces, and takes it down again.

    with open_lab(plain_topology(2)) as lab:
        lab.pods["client-node-a"].exec(["curl", "http://10.244.1.11:8080/"])

        node-a                       node-b                      client, stranger
    +------------------+        +------------------+            +-----------------+
    | pod   pod   pod  |        | pod   pod   pod  |            |  203.0.113.10   |
    |  |     |     |   |        |  |     |     |   |            |  198.51.100.10  |
    | =+= cni0 ====+=  |        | =+= cni0 ====+=  |            +-------+---------+
    |   10.244.0.1/24  |        |   10.244.1.1/24  |                    |
    |   eth0 .11       |        |   eth0 .12       |            +-------+---------+
    +--------+---------+        +--------+---------+            |     router      |
             |                           |                      |   .1  wire0     |
             +---------------------------+----------------------+-----------------+
                              172.31.0.0/24, fd00:31::/64

Nodes reach each other's pods by route (host-gw, as flannel and Calico without tunnels do). Every bridge and interface
lives inside a namespace named `pkp-<pid>-<random>-…`: the machine's own network is not touched, and labs can run side
by side. `python -m e2e.lab` removes what labs have left behind that were killed with SIGKILL.
"""

import os
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn, cast

from msgspec import Struct

from e2e import netns, wiring
from e2e.netns import LabError, Namespace, Processes
from e2e.topology import NodeSpec, OutsiderSpec, PodSpec, Topology

NAME_PREFIX = "pkp-"
READY_SECONDS = 20.0
POD_SERVER = Path(__file__).with_name("pod_server.py")


class Node(Namespace, frozen=True, kw_only=True):
    spec: NodeSpec


class Pod(Namespace, frozen=True, kw_only=True):
    spec: PodSpec


class Outsider(Namespace, frozen=True, kw_only=True):
    spec: OutsiderSpec


class Lab(Struct, frozen=True, kw_only=True):
    """A running lab; `prefix` begins the name of every namespace that belongs to it."""

    prefix: str
    topology: Topology
    nodes: Mapping[str, Node]
    pods: Mapping[str, Pod]
    outsiders: Mapping[str, Outsider]

    def place(self, name: str) -> Node | Pod | Outsider:
        return self.nodes.get(name) or self.pods.get(name) or self.outsiders[name]


@contextmanager
def open_lab(topology: Topology) -> Iterator[Lab]:
    """Builds the lab and removes it at the end of the block: also after an exception, Ctrl-C or SIGTERM.

    Raises LabError where this machine cannot build it (see `missing`), or if a pod's server does not start.
    """
    if lack := missing():
        raise LabError(lack)
    prefix = f"{NAME_PREFIX}{os.getpid()}-{secrets.token_hex(2)}-"
    processes = Processes()
    with _termination_as_exit():
        try:
            yield _build(prefix, topology, processes)
        finally:
            # A signal that comes now takes effect when all is clean.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
            processes.stop_all()
            for name in netns.existing(prefix):
                netns.remove(name)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _termination_as_exit() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise SystemExit, as SIGINT raises KeyboardInterrupt, so that `finally` runs.

    Signals belong to the main thread: in any other thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _exit) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def missing() -> str | None:
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "network namespaces need root: run this as root or with sudo"
    for tool, package in (("ip", "iproute2"), ("curl", "curl"), ("setpriv", "util-linux"), ("tee", "coreutils")):
        if not any(Path(folder, tool).exists() for folder in os.get_exec_path()):
            return f"there is no {tool}: install the package {package}"
    if not (netns.SYSCTLS / "ipv6").is_dir():
        return "this kernel has no IPv6"
    return None


def has_sctp() -> bool:
    """Whether this kernel speaks SCTP; asking loads its module where there is one."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
    except OSError:
        return False
    return True


def sweep() -> None:
    """Removes the namespaces of labs whose makers, named by their process id, are no more; says so."""
    for name in netns.existing(NAME_PREFIX):
        maker = re.match(rf"{NAME_PREFIX}(\d+)-", name)
        if maker and not Path("/proc", maker[1]).exists():
            try:
                netns.remove(name)
            except LabError:
                if name in netns.existing(name):
                    raise
                continue  # another sweep was faster
            print(f"removed network namespace {name}")


def _build(prefix: str, topology: Topology, processes: Processes) -> Lab:
    def made(name: str) -> str:
        netns.create(prefix + name)
        return prefix + name

    router = Namespace(name=made("router"), processes=processes)
    wiring.set_up_router(router)
    nodes, outsiders, pods = {}, {}, {}
    for index, node in enumerate(topology.nodes):
        nodes[node.name] = Node(name=made(node.name), processes=processes, spec=node)
        wiring.connect_node(router, nodes[node.name], node, index, topology)
    for index, outsider in enumerate(topology.outsiders):
        outsiders[outsider.name] = Outsider(name=made(outsider.name), processes=processes, spec=outsider)
        wiring.connect_outsider(router, outsiders[outsider.name], outsider, index)
    for index, pod in enumerate(topology.pods):
        home = nodes[pod.node]
        pods[pod.name] = Pod(name=made(pod.name), processes=processes, spec=pod)
        wiring.connect_pod(home, pods[pod.name], pod, index, home.spec.pod_networks)
    _start_servers((*pods.values(), *outsiders.values()))
    return Lab(prefix=prefix, topology=topology, nodes=nodes, pods=pods, outsiders=outsiders)


def _start_servers(hosts: Iterable[Pod | Outsider]) -> None:
    starting = {}
    for host in hosts:
        if host.spec.listeners:
            listeners = [f"{listener.protocol}/{listener.port}" for listener in host.spec.listeners]
            starting[host.spec.name] = host.popen([sys.executable, "-IS", str(POD_SERVER), host.spec.name, *listeners])
    deadline = time.monotonic() + READY_SECONDS
    for name, server in starting.items():
        if not _says_ready(server, deadline - time.monotonic()):
            raise LabError(f"pod {name}: its server did not open its ports (exit status {server.poll()})")


def _says_ready(server: subprocess.Popen[str], seconds: float) -> bool:
    output = cast("IO[str]", server.stdout)  # a pipe, as popen makes it by default
    readable, _, _ = select.select([output], [], [], max(seconds, 0.0))
    return bool(readable) and output.readline() == "ready\n"


if __name__ == "__main__":
    sweep()
