"""The node on which the corpus was measured, as a star of network namespaces, and connections that tell where they end.

    pod 10.244.0.9 ------.            .------ outside 203.0.113.9, 192.0.2.77, and a pod elsewhere 10.244.1.9
                          node 172.31.1.2
    endpoints here ------'            '------ endpoints on other nodes

Everything passes the node both ways.
"""

import errno
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from tests.host.namespace import Namespace, namespace

NODE_ADDRESS = "172.31.1.2"
TARGET_PORT = 8080
MACHINES = {
    "pod": ("10.244.0.9",),
    "here": ("10.244.0.11", "10.244.0.14"),
    "elsewhere": ("10.244.1.12", "10.244.2.13"),
    "outside": ("172.31.1.1", "203.0.113.9", "192.0.2.77", "10.244.1.9"),
}

# A SYN is repeated after one second; nobody waits for that.
_SILENCE_SECONDS = 0.3
_REFUSALS = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a connection: the verdict, and if it was answered, by whom, and which client they saw."""

    verdict: str
    endpoint: str | None = None
    client: str | None = None


class ServiceLab:
    """The star; its endpoints listen."""

    def __init__(self, machines: dict[str, Namespace]) -> None:
        self.node = machines["node"]
        self._machines = machines
        self._home = {address: name for name, addresses in MACHINES.items() for address in addresses}
        self._listening = [machines[name].run(_listen) for name in ("here", "elsewhere")]

    def close(self) -> None:
        """Closes the endpoints' sockets."""
        for listening in self._listening:
            listening.close()

    def load(self, dump: str) -> None:
        """Replaces the node's rules."""
        self.node.exec("iptables-restore", stdin=dump)

    def connect(self, source: str, destination: str, port: int) -> Connection:
        """Connects once, from an address of any machine; those that nobody has are the node's."""
        machine = self._machines[self._home.get(source, "node")]
        with machine.run(lambda: _begin(source, destination, port)) as client:
            while True:
                accepting, finished, _ = select.select(self._listening, [client], [], _SILENCE_SECONDS)
                if accepting:
                    return self._accepted(accepting[0])
                if not finished:
                    return Connection(verdict="DROP")
                if (error := client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) in _REFUSALS:
                    return Connection(verdict="REJECT")
                assert error == 0, errno.errorcode[error]

    @staticmethod
    def _accepted(listening: socket.socket) -> Connection:
        accepted, (client, _) = listening.accept()
        with accepted:
            address, port = accepted.getsockname()
        return Connection(verdict="ACCEPT", endpoint=f"{address}:{port}", client=client)


def _listen() -> socket.socket:
    return socket.create_server(("", TARGET_PORT), backlog=64)


def _begin(source: str, destination: str, port: int) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.bind((source, 0))
    client.setblocking(False)
    client.connect_ex((destination, port))
    return client


@contextmanager
def open_service_lab() -> Iterator[ServiceLab]:
    """The star, removed at the end."""
    with ExitStack() as stack:
        node = stack.enter_context(namespace())
        machines = {name: stack.enter_context(namespace()) for name in MACHINES}
        off = [f"conf/{which}/{key}" for which in ("all", "default") for key in ("rp_filter", "send_redirects")]
        node.exec("tee", *(f"/proc/sys/net/ipv4/{key}" for key in (*off, "icmp_ratelimit")), stdin="0\n")
        node.exec(
            "tee", *(f"/proc/sys/net/ipv4/{key}" for key in ("ip_forward", "conf/all/route_localnet")), stdin="1\n"
        )
        for name, machine in machines.items():
            _join(node, "eth0" if name == "outside" else name, machine, MACHINES[name])
        node.exec("ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "eth0")
        node.exec("ip", "route", "add", "default", "via", MACHINES["outside"][0], "dev", "eth0")
        lab = ServiceLab({"node": node, **machines})
        stack.callback(lab.close)
        yield lab


def _join(node: Namespace, device: str, machine: Namespace, addresses: tuple[str, ...]) -> None:
    node.exec("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", machine.name)
    node.exec("ip", "link", "set", device, "up")
    for address in addresses:
        machine.exec("ip", "address", "add", f"{address}/32", "dev", "eth0")
        node.exec("ip", "route", "add", address, "dev", device)
    machine.exec("ip", "link", "set", "eth0", "up")
    machine.exec("ip", "route", "add", NODE_ADDRESS, "dev", "eth0")
    machine.exec("ip", "route", "add", "default", "via", NODE_ADDRESS)
