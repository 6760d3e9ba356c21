"""A node whose pods are all on itself: every address of the pod network is its own, and one server answers on all.

So connections through any number of Services and endpoints can be made, counted, and told apart.
"""

import errno
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager

from pykubeproxy.model.ip import Family
from tests.host.namespace import Namespace
from tests.kernel.machine import Machine
from tests.kernel.machine import machine as another_machine

POD_PORT = 8080

# An answer may be long in coming from a thread that shares this interpreter, on a machine that has much else to do. Not
# much is waited for only where nobody must answer: as long as it takes a connection that finds somebody after all.
ANSWER_SECONDS = 10.0
SILENCE_SECONDS = 0.5

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
_REFUSALS = (errno.ECONNREFUSED, errno.EPERM)  # the latter where the node's own packet is not even sent

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
        self._namespace = Namespace(machine.name)

    def ask(self, places: Collection[Place], *, seconds: float = ANSWER_SECONDS) -> dict[Place, str]:
        """Connect to all at once: who answered, by address; or that it was refused, or nobody answered in time."""
        return self._namespace.run(lambda: self._ask(places, seconds))

    def connect_often(self, places: Collection[Place], is_enough: Callable[[int], bool]) -> Counter[tuple[Place, str]]:
        """Connect to one place after the other, round and round, until it is enough; return where, and who answered.

        Raises OSError.
        """

        def act() -> Counter[tuple[Place, str]]:
            answers: Counter[tuple[Place, str]] = Counter()
            while not is_enough(answers.total()):
                answers.update((place, self._connect(place)) for place in places)
            return answers

        return self._namespace.run(act)

    def lost_packets(self) -> int:
        """How many first packets of connections had to be sent again."""
        lines = self.machine.exec(["cat", "/proc/net/netstat"]).stdout.splitlines()
        names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
        return int(dict(zip(names, values, strict=True))["TCPSynRetrans"])

    def _connect(self, place: Place) -> str:
        with socket.socket(self._family) as client:
            client.settimeout(ANSWER_SECONDS)
            client.connect(place)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
            return client.recv(100).decode()

    def _ask(self, places: Collection[Place], seconds: float) -> dict[Place, str]:
        answers = dict.fromkeys(places, SILENT)
        with ExitStack() as closing, selectors.DefaultSelector() as waiting:
            for place in places:
                client = closing.enter_context(socket.socket(self._family))
                client.setblocking(False)
                if client.connect_ex(place) in _REFUSALS:
                    answers[place] = REFUSED
                else:
                    waiting.register(client, selectors.EVENT_READ, (place, client))
            deadline = time.monotonic() + seconds
            while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
                for key, _ in waiting.select(left):
                    place, client = key.data
                    answers[place] = _answer(client)
                    waiting.unregister(client)
        return answers


class ServiceNode(Client):
    """The node: its server, and a client beside it."""

    def __init__(self, machine: Machine, family: Family) -> None:
        super().__init__(machine, family)
        self._listening: socket.socket = self._namespace.run(self._listen)
        self._is_closing = threading.Event()
        self._server = threading.Thread(target=self._serve)
        self._server.start()

    def close(self) -> None:
        """End the server."""
        self._is_closing.set()
        self._server.join()
        self._listening.close()

    def _listen(self) -> socket.socket:
        made = socket.socket(self._family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("", POD_PORT))
        made.listen(1000)
        made.settimeout(0.05)
        return made

    def _serve(self) -> None:
        while not self._is_closing.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            with connection:
                connection.sendall(connection.getsockname()[0].encode())


def _answer(client: socket.socket) -> str:
    error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        assert error in _REFUSALS, errno.errorcode[error]
        return REFUSED
    return client.recv(100).decode()


@contextmanager
def service_node(machine: Machine, family: Family) -> Iterator[ServiceNode]:
    """A machine made such a node."""
    machine.ip(_NODE)
    machine.set_sysctls(0, ["ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"])
    machine.set_sysctls(10_000, ["ipv4/icmp_msgs_per_sec", "ipv4/icmp_msgs_burst"])
    node = ServiceNode(machine, family)
    try:
        yield node
    finally:
        node.close()


@contextmanager
def neighbour(of: Machine, family: Family) -> Iterator[Client]:
    """A client that has the node for its router, so that what it asks for comes to the node from outside."""
    with another_machine() as its:
        of.ip([f"link add neighbour type veth peer name eth0 netns {its.name}", *_CABLE])
        its.ip(_NEIGHBOUR)
        of.set_sysctls(1, ["ipv4/ip_forward", "ipv6/conf/all/forwarding"])
        yield Client(its, family)
