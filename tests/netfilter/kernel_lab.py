"""A client, a node and a server in three network namespaces, and datagrams that tell what the node did to them.

    client ---- (cl) node (sv) ---- server

Everything else is routed from the client to the node, and from the node to the server. Neighbours are told, not asked
for, so that no packets pass but those of the test.
"""

import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from pykubeproxy.model.route import Route
from pykubeproxy.netfilter import Environment, local_address
from tests.builders import cidr, ip
from tests.host.namespace import Namespace, namespace

PORTS = (1000, 1001, 1002, 1003)

# How long to wait for what should come, and for what should not.
_DEADLINE_SECONDS = 1.0
_SETTLED_SECONDS = 0.05

# linux/in.h and linux/in6.h
_PACKET_INFO = {4: (socket.IPPROTO_IP, 8), 6: (socket.IPPROTO_IPV6, 49)}
_MACS = {"cl": ("02:00:00:00:00:01", "02:00:00:00:00:02"), "sv": ("02:00:00:00:00:03", "02:00:00:00:00:04")}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of one IP family."""

    version: int
    client: str
    to_client: str
    to_server: str
    servers: tuple[str, str]
    service: str
    everything: str
    client_network: str
    server_network: str
    loopback: str
    prefix: int

    @property
    def default(self) -> str:
        """The network of all addresses."""
        return "0.0.0.0/0" if self.version == 4 else "::/0"

    @property
    def tool(self) -> str:
        """The name of this family's iptables."""
        return "iptables" if self.version == 4 else "ip6tables"

    def with_port(self, address: str, port: object) -> str:
        """An address and a port."""
        return f"[{address}]:{port}" if self.version == 6 else f"{address}:{port}"

    def environment(self) -> Environment:
        """The node, as a trace is told of it."""
        return Environment(
            addresses=(
                local_address(f"{self.to_client}/{self.prefix}", "cl"),
                local_address(f"{self.to_server}/{self.prefix}", "sv"),
                local_address("127.0.0.1/8", "lo"),
            ),
            routes=(
                Route(destination=cidr(self.client_network), device="cl"),
                Route(destination=cidr(self.server_network), device="sv"),
                Route(destination=cidr(self.default), device="sv", via=ip(self.servers[0])),
            ),
        )


IPV4 = Plan(
    version=4,
    client="10.9.2.2",
    to_client="10.9.2.1",
    to_server="10.9.1.1",
    servers=("10.9.1.2", "10.9.1.3"),
    service="10.96.0.1",
    everything="10.9.0.0/16",
    client_network="10.9.2.0/24",
    server_network="10.9.1.0/24",
    loopback="127.0.0.0/8",
    prefix=24,
)
IPV6 = Plan(
    version=6,
    client="fd00:9:2::2",
    to_client="fd00:9:2::1",
    to_server="fd00:9:1::1",
    servers=("fd00:9:1::2", "fd00:9:1::3"),
    service="fd00:96::1",
    everything="fd00:9::/32",
    client_network="fd00:9:2::/64",
    server_network="fd00:9:1::/64",
    loopback="::1/128",
    prefix=64,
)


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A datagram where it arrived: for which address and port, and from whom."""

    destination: str
    source: str
    source_port: int


class Lab:
    """The three machines, their sockets open."""

    def __init__(self, machines: dict[str, Namespace], plan: Plan) -> None:
        self.node = machines["node"]
        self.plan = plan
        self._machines = machines
        self._listening = {
            self._open(machine, port): port for name, machine in machines.items() if name != "client" for port in PORTS
        }

    def close(self) -> None:
        """Closes all sockets."""
        for listening in self._listening:
            listening.close()

    def sender(self, machine: str, source: str, port: int) -> socket.socket:
        """A socket that sends from an address and port of a machine."""

        def opened() -> socket.socket:
            made = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
            made.bind((source, port))
            return made

        return self._machines[machine].run(opened)

    def arrivals(self, expected: int) -> dict[bytes, Arrival]:
        """What has arrived, by its content; waits for that many, and a moment for more."""
        found: dict[bytes, Arrival] = {}
        while True:
            patience = _SETTLED_SECONDS if len(found) >= expected else _DEADLINE_SECONDS
            ready, _, _ = select.select(list(self._listening), [], [], patience)
            if not ready:
                return found
            for listening in ready:
                content, details, _, (source, source_port, *_) = listening.recvmsg(100, 100)
                address = self.plan.with_port(_destination(details[0][2]), self._listening[listening])
                found[content] = Arrival(destination=address, source=source, source_port=source_port)

    def _open(self, machine: Namespace, port: int) -> socket.socket:
        def opened() -> socket.socket:
            family = socket.AF_INET6 if self.plan.version == 6 else socket.AF_INET
            made = socket.socket(family, socket.SOCK_DGRAM)
            made.setsockopt(*_PACKET_INFO[self.plan.version], 1)
            made.bind(("", port))
            return made

        return machine.run(opened)


def _destination(information: bytes) -> str:
    """The destination of a datagram, from a struct in_pktinfo or in6_pktinfo."""
    if len(information) == 12:
        return socket.inet_ntoa(struct.unpack("I4s4s", information)[2])
    return socket.inet_ntop(socket.AF_INET6, information[:16])


@contextmanager
def open_lab(plan: Plan) -> Iterator[Lab]:
    """The lab, removed at the end."""
    with ExitStack() as stack:
        machines = {name: stack.enter_context(namespace()) for name in ("client", "node", "server")}
        client, node, server = machines.values()
        for machine in machines.values():
            _quiet(machine)
        _link(plan, (node, "cl", plan.to_client), client, (plan.client,))
        _link(plan, (node, "sv", plan.to_server), server, plan.servers)
        server.exec("ip", "address", "add", plan.service, "dev", "lo")
        client.exec("ip", "route", "add", plan.default, "via", plan.to_client)
        node.exec("ip", "route", "add", plan.default, "via", plan.servers[0])
        server.exec("ip", "route", "add", plan.default, "via", plan.to_server)
        lab = Lab(machines, plan)
        stack.callback(lab.close)
        yield lab


def _link(plan: Plan, end: tuple[Namespace, str, str], other: Namespace, others: tuple[str, ...]) -> None:
    """Joins a machine to one end of the node; both know each other's hardware addresses."""
    node, device, mine = end
    node_mac, other_mac = _MACS[device]
    peer = ("peer", "name", "eth0", "address", other_mac, "netns", other.name)
    node.exec("ip", "link", "add", device, "address", node_mac, "type", "veth", *peer)
    for machine, name, held in ((node, device, (mine,)), (other, "eth0", others)):
        nodad = ("nodad",) if plan.version == 6 else ()
        for address in held:
            machine.exec("ip", "address", "add", f"{address}/{plan.prefix}", "dev", name, *nodad)
        machine.exec("ip", "link", "set", name, "up")
    for address in others:
        node.exec("ip", "neighbour", "replace", address, "lladdr", other_mac, "dev", device, "nud", "permanent")
    other.exec("ip", "neighbour", "replace", mine, "lladdr", node_mac, "dev", "eth0", "nud", "permanent")


def _quiet(machine: Namespace) -> None:
    """A router that believes every source, refuses as often as it must, and says nothing on its own account."""
    off = ["ipv4/conf/all/rp_filter", "ipv4/conf/default/rp_filter", "ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"]
    off += [f"ipv6/conf/{which}/{key}" for which in ("all", "default") for key in ("accept_dad", "accept_ra")]
    on = ["ipv4/ip_forward", "ipv4/conf/all/route_localnet", "ipv6/conf/all/forwarding", "ipv6/conf/default/forwarding"]
    for value, keys in ((0, off), (1, on)):
        machine.exec("tee", *(f"/proc/sys/net/{key}" for key in keys), stdin=f"{value}\n")
