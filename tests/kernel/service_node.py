"""A node whose pods are all on itself: every address of the pod network is its own, and one server answers on all.

So connections through any number of Services and endpoints can be made, counted, and told apart.
"""

import socket
import socketserver
import struct
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from e2e import netns
from pykubeproxy.model.ip import Family
from tests.host.namespace import Namespace
from tests.kernel.machine import Machine
from tests.kernel.machine import machine as another_machine

POD_PORT = 8080

# An answer may be long in coming from a thread that shares this interpreter, on a machine that has much else to do. Not
# much is waited for only where nobody must answer: as long as it takes a connection that finds somebody after all.
ANSWER_SECONDS = 10.0
SILENCE_SECONDS = 0.5

NODE_ADDRESSES = {Family.IPV4: "192.168.0.2", Family.IPV6: "2001:db8::2"}

# Addresses of the node, and what becomes of packets that nobody answers: they leave by an interface that swallows them,
# without asking for neighbours first, whose absence would be told.
_NODE = (
    "link add swallow type veth peer name swallowed",
    "link set swallow arp off",
    "link set swallowed up",
    "link set swallow up",
    "address add 192.168.0.2/24 dev swallow",
    "address add 2001:db8::2/64 dev swallow nodad",
    "route add default dev swallow",
    "route add ::/0 dev swallow",
    "route add local 10.244.0.0/16 dev lo",
    "route add local fd00:10:244::/48 dev lo",
)
_ADDRESS_FAMILY = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}
_CLOSE_AT_ONCE = struct.pack("ii", 1, 0)

REFUSED, SILENT = "refused", "silent"

Place = tuple[str, int]


NEIGHBOUR = {Family.IPV4: "192.168.7.7", Family.IPV6: "2001:db8:7::7"}
_CABLE = (
    "address add 192.168.7.1/24 dev neighbour",
    "address add 2001:db8:7::1/64 dev neighbour nodad",
    "link set neighbour up",
)
_NEIGHBOUR = (
    f"address add {NEIGHBOUR[Family.IPV4]}/24 dev eth0",
    f"address add {NEIGHBOUR[Family.IPV6]}/64 dev eth0 nodad",
    "link set eth0 up",
    "route add default via 192.168.7.1",
    "route add ::/0 via 2001:db8:7::1",
)


class Client:
    """Connects from one namespace, in one family."""

    def __init__(self, machine: Machine, family: Family) -> None:
        self.machine = machine
        self._family = _ADDRESS_FAMILY[family]
        self.namespace = Namespace(machine.name)

    def ask(self, places: Collection[Place], *, seconds: float = ANSWER_SECONDS) -> dict[Place, str]:
        """Connect to all at once: who answered, by address; or that it was refused, or nobody answered in time."""
        with ThreadPoolExecutor(len(places), initializer=netns.enter, initargs=(self.machine.name,)) as clients:
            return dict(zip(places, clients.map(lambda place: self._ask(place, seconds), places), strict=True))

    def connect(self, *addresses: str, times: int) -> None:
        """Connect so many times to port 80 of each, and be answered. Raises OSError."""
        self.namespace.run(lambda: [self._connect((address, 80)) for _ in range(times) for address in addresses])

    def _ask(self, place: Place, seconds: float) -> str:
        try:
            return self._connect(place, seconds)
        except TimeoutError:
            return SILENT
        except (ConnectionRefusedError, PermissionError):  # the latter where the node's own packet is not even sent
            return REFUSED

    def _connect(self, place: Place, seconds: float = ANSWER_SECONDS) -> str:
        with socket.socket(self._family) as client:
            client.settimeout(seconds)
            client.connect(place)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
            return client.recv(100).decode()


class _Server(socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 1000

    def __init__(self, family: socket.AddressFamily) -> None:
        self.address_family = family
        super().__init__(("", POD_PORT), _TellWhere)


class _TellWhere(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(self.request.getsockname()[0].encode())


@contextmanager
def service_node(machine: Machine, family: Family) -> Iterator[Client]:
    """Make a machine such a node; gives a client on it."""
    machine.ip(_NODE)
    machine.set_sysctls(0, ["ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"])
    machine.set_sysctls(10_000, ["ipv4/icmp_msgs_per_sec", "ipv4/icmp_msgs_burst"])
    client = Client(machine, family)
    with client.namespace.run(lambda: _Server(_ADDRESS_FAMILY[family])) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield client
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def neighbour(of: Machine, family: Family) -> Iterator[Client]:
    """A client that has the node for its router, so that what it asks for comes to the node from outside."""
    with another_machine() as its:
        of.ip([f"link add neighbour type veth peer name eth0 netns {its.name}", *_CABLE])
        its.ip(_NEIGHBOUR)
        of.set_sysctls(1, ["ipv4/ip_forward", "ipv6/conf/all/forwarding"])
        yield Client(its, family)
