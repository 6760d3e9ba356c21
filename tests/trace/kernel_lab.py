"""A client, a node and a server in three network namespaces, and datagrams that tell what the node did to them.

    client 10.9.2.2 ---- 10.9.2.1 (cl) node (sv) 10.9.1.1 ---- 10.9.1.2, 10.9.1.3 server

Everything else is routed from the client to the node, and from the node to the server.
"""

import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from pykubeproxy.model.route import Route
from pykubeproxy.trace import Environment, local_address
from tests.builders import cidr, ip
from tests.host.namespace import Namespace, namespace

PORTS = (1000, 1001, 1002, 1003)
CLIENT, NODE_TO_CLIENT, NODE_TO_SERVER = "10.9.2.2", "10.9.2.1", "10.9.1.1"
SERVERS = ("10.9.1.2", "10.9.1.3")
SERVICE = "10.96.0.1"

ENVIRONMENT = Environment(
    addresses=(
        local_address("10.9.2.1/24", "cl"),
        local_address("10.9.1.1/24", "sv"),
        local_address("127.0.0.1/8", "lo"),
    ),
    routes=(
        Route(destination=cidr("10.9.2.0/24"), device="cl"),
        Route(destination=cidr("10.9.1.0/24"), device="sv"),
        Route(destination=cidr("0.0.0.0/0"), device="sv", via=ip("10.9.1.2")),
    ),
)

_SETTLED_SECONDS = 0.05
_DEADLINE_SECONDS = 5.0
_PKTINFO = struct.Struct("I4s4s")
_IP_PKTINFO = 8  # linux/in.h


class Arrival(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A datagram where it arrived: on which machine, for which address and port, and from whom."""

    machine: str
    destination: str
    source: str


class Lab:
    """The three machines, their sockets open."""

    def __init__(self, machines: dict[str, Namespace]) -> None:
        self.node = machines["node"]
        self._machines = machines
        self._listening = {
            self._open(machine, port): (name, port)
            for name, machine in machines.items()
            if name != "client"
            for port in PORTS
        }

    def close(self) -> None:
        """Closes all sockets."""
        for listening in self._listening:
            listening.close()

    def load(self, restore: str, rules: str) -> None:
        """Replaces the node's rules, and forgets its connections."""
        self.node.exec(restore, stdin=rules)

    def sender(self, machine: str, source: str, port: int) -> socket.socket:
        """A socket that sends from an address and port of a machine."""

        def opened() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind((source, port))
            return made

        return self._machines[machine].run(opened)

    def arrivals(self, expected: int) -> dict[bytes, Arrival]:
        """What has arrived, by its content; waits for that many, and a moment for more."""
        found: dict[bytes, Arrival] = {}
        while True:
            patience = _SETTLED_SECONDS if len(found) >= expected else _DEADLINE_SECONDS / 10
            ready, _, _ = select.select(list(self._listening), [], [], patience)
            if not ready:
                return found
            for listening in ready:
                machine, port = self._listening[listening]
                content, details, _, (source, source_port) = listening.recvmsg(100, 100)
                destination = socket.inet_ntoa(_PKTINFO.unpack(details[0][2])[2])
                found[content] = Arrival(
                    machine=machine, destination=f"{destination}:{port}", source=f"{source}:{source_port}"
                )

    @staticmethod
    def _open(machine: Namespace, port: int) -> socket.socket:
        def opened() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            made.bind(("0.0.0.0", port))  # noqa: S104 (inside a namespace of its own)
            return made

        return machine.run(opened)


@contextmanager
def open_lab() -> Iterator[Lab]:
    """The lab, removed at the end."""
    with ExitStack() as stack:
        machines = {name: stack.enter_context(namespace()) for name in ("client", "node", "server")}
        client, node, server = machines.values()
        _link(node, "cl", f"{NODE_TO_CLIENT}/24", client, f"{CLIENT}/24")
        _link(node, "sv", f"{NODE_TO_SERVER}/24", server, f"{SERVERS[0]}/24")
        server.exec("ip", "address", "add", f"{SERVERS[1]}/24", "dev", "eth0")
        server.exec("ip", "address", "add", f"{SERVICE}/32", "dev", "lo")
        client.exec("ip", "route", "add", "default", "via", NODE_TO_CLIENT)
        node.exec("ip", "route", "add", "default", "via", SERVERS[0])
        server.exec("ip", "route", "add", "default", "via", NODE_TO_SERVER)
        for machine in machines.values():
            _set(
                machine, 0, "conf/all/rp_filter", "conf/default/rp_filter", "conf/all/send_redirects", "icmp_ratelimit"
            )
            _set(machine, 0, *(f"conf/{device}/rp_filter" for device in ("cl", "sv") if machine is node))
        _set(node, 1, "ip_forward", "conf/all/route_localnet")
        lab = Lab(machines)
        stack.callback(lab.close)
        yield lab


def _link(node: Namespace, device: str, address: str, other: Namespace, other_address: str) -> None:
    node.exec("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", other.name)
    for machine, name, held in ((node, device, address), (other, "eth0", other_address)):
        machine.exec("ip", "address", "add", held, "dev", name)
        machine.exec("ip", "link", "set", name, "up")


def _set(machine: Namespace, value: int, *keys: str) -> None:
    machine.exec("tee", *(f"/proc/sys/net/ipv4/{key}" for key in keys), stdin=f"{value}\n")
