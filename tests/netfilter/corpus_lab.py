"""The node on which the corpus was measured, and everybody around it, in three network namespaces.

    pods 10.244.0.0/24 ---- (cni0 or veth0123) node 172.31.1.2 (eth0) ---- the outside, and pods on other nodes

The two machines beside the node have the addresses of all clients and endpoints that a test names, and send whatever
they send to the node, be it for one of their own addresses. What is sent carries a number, so that many questions can
be asked at once, and whoever gets one knows which it was.
"""

import errno
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from ipaddress import ip_address, ip_network

import msgspec

from tests.host.namespace import Namespace, namespace

NODE = {4: "172.31.1.2", 6: "fd00:31:1::2"}
ROUTER = {4: "172.31.1.1", 6: "fd00:31:1::1"}
POD_NETWORK = {4: ip_network("10.244.0.0/24"), 6: ip_network("fd00:10:244::/64")}
POD_INTERFACES = ("cni0", "veth0123")

# The node's and the pods' ends of each pod interface.
POD_ENDS = {
    device: {4: (f"10.255.{index}.1", f"10.255.{index}.2"), 6: (f"fd00:255:{index + 1}::1", f"fd00:255:{index + 1}::2")}
    for index, device in enumerate(POD_INTERFACES)
}
NODE_ADDRESSES = frozenset(
    (*NODE.values(), "127.0.0.1", "::1", *(ends[version][0] for ends in POD_ENDS.values() for version in ends))
)
LENGTH = {4: 30, 6: 64}
_HARDWARE_ADDRESSES = {
    device: (f"02:00:00:00:0{index}:01", f"02:00:00:00:0{index}:02")
    for index, device in enumerate(("eth0", *POD_INTERFACES))
}
_OWN_TABLE = "100"

# A refusal of IPv6 TCP may be heard of only when the SYN is repeated, a second later.
_SILENCE_SECONDS = {4: 0.4, 6: 1.6}
_PATIENCE_SECONDS = 10.0
_REFUSALS = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES}
_NUMBER = struct.Struct("!I")
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "sctp": socket.SOCK_STREAM}
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

# linux/in.h and linux/in6.h: which address a datagram was for, and to hear of refusals.
_PACKET_INFO = {4: (socket.IPPROTO_IP, 8), 6: (socket.IPPROTO_IPV6, 49)}


class Endpoint(msgspec.Struct, frozen=True):
    """Where somebody listens."""

    protocol: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A connection or datagram to send, from an address that one of the machines has.

    `may_be_dropped` tells that nobody need wait long for what becomes of it.
    """

    source: str
    destination: str
    port: int
    protocol: str
    source_port: int = 0
    may_be_dropped: bool = False


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it: the verdict, and if it arrived, where, and from which client as seen there."""

    verdict: str
    endpoint: str | None = None
    client: str | None = None


class CorpusLab:
    """One family of the lab, for one set of rules."""

    def __init__(self, version: int, node: Namespace, pods: Namespace, outside: Namespace) -> None:
        self._version = version
        self._node, self._pods, self._outside = node, pods, outside
        self._listening: dict[socket.socket, str] = {}
        self._added: set[tuple[str, str]] = set()

    def set_up(self, pod_interface: str, clients: Iterable[str], endpoints: Iterable[Endpoint]) -> None:
        """Give everybody their addresses, lead the pods' packets over their interface, and listen."""
        endpoints = list(endpoints)
        network, flag = POD_NETWORK[self._version], f"-{self._version}"
        for address in {*clients, *(each.address for each in endpoints)}:
            home = self._home(address)
            if (home.name, address) not in self._added and home is not self._node:
                _assign(home, f"{address}/{32 if self._version == 4 else 128}", "lo")
                self._added.add((home.name, address))
        own, theirs = POD_ENDS[pod_interface][self._version]
        self._node.exec("ip", flag, "route", "replace", str(network), "via", theirs)
        self._pods.exec("ip", flag, "route", "replace", "default", "via", own, "table", _OWN_TABLE)
        for port, protocol in {(each.port, each.protocol) for each in endpoints}:
            for home in (self._pods, self._outside, self._node):
                self._listening[home.run(partial(_listen, self._version, protocol, port))] = protocol

    def close(self) -> None:
        """Stop listening."""
        for each in self._listening:
            each.close()
        self._listening.clear()

    def load(self, dump: str, tool: str | None = None) -> None:
        """Replace the node's rules, and forget the connections made under others: ports are used again."""
        self._node.exec(f"{tool or ('iptables' if self._version == 4 else 'ip6tables')}-restore", stdin=dump)
        self._node.exec("conntrack", "-F")

    def saved(self, tool: str, *options: str) -> str:
        """The node's rules."""
        return self._node.exec(f"{tool}-save", *options)

    def send(self, attempts: Sequence[Attempt]) -> list[Seen]:
        """Make all attempts at once; what became of each."""
        seen: dict[int, Seen] = {}
        waiting = {self._client(attempt): number for number, attempt in enumerate(attempts)}
        for client, number in waiting.items():
            _begin(client, attempts[number], number)
        accepted: list[socket.socket] = []
        last = time.monotonic()
        while len(seen) < len(attempts):
            open_attempts = (attempt for number, attempt in enumerate(attempts) if number not in seen)
            is_dropped = all(attempt.may_be_dropped for attempt in open_attempts)
            if time.monotonic() > last + (_SILENCE_SECONDS[self._version] if is_dropped else _PATIENCE_SECONDS):
                break
            clients = [each for each, number in waiting.items() if number not in seen]
            readable, writable, _ = select.select([*self._listening, *accepted, *clients], clients, [], 0.05)
            found = dict(self._events(readable, writable, waiting, accepted))
            if found:
                last = time.monotonic()
                seen |= found
        for each in (*waiting, *accepted):
            each.close()
        return [seen.get(number, Seen(verdict="DROP")) for number in range(len(attempts))]

    def _events(
        self,
        readable: Sequence[socket.socket],
        writable: Sequence[socket.socket],
        waiting: dict[socket.socket, int],
        accepted: list[socket.socket],
    ) -> Iterator[tuple[int, Seen]]:
        for each in {*readable, *writable} & waiting.keys():
            number = waiting[each]
            if each.type != socket.SOCK_DGRAM and each in writable:
                yield from _connected(each, number)
            elif each.type == socket.SOCK_DGRAM and each in readable:
                yield number, Seen(verdict=_refusal(each))
        for each in readable:
            if each in accepted:
                accepted.remove(each)
                with each:
                    number = _NUMBER.unpack(each.recv(_NUMBER.size))[0]
                    yield number, _accepted(each.getsockname(), each.getpeername()[0])
            elif self._listening.get(each) == "udp":
                yield _received(each, self._version)
            elif each in self._listening:
                accepted.append(each.accept()[0])

    def _home(self, address: str) -> Namespace:
        """The machine that has an address."""
        number = ip_address(address)
        if number.is_loopback or address == NODE[self._version]:
            return self._node
        return self._pods if number in POD_NETWORK[self._version] else self._outside

    def _client(self, attempt: Attempt) -> socket.socket:
        return self._home(attempt.source).run(partial(_bound, self._version, attempt))


def _listen(version: int, protocol: str, port: int) -> socket.socket:
    made = socket.socket(_FAMILIES[version], _KINDS[protocol], _PROTOCOLS[protocol])
    made.setblocking(False)
    if version == 6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if protocol == "udp":
        made.setsockopt(*_PACKET_INFO[version], 1)
    made.bind(("", port))
    if protocol != "udp":
        made.listen(512)
    return made


def _bound(version: int, attempt: Attempt) -> socket.socket:
    made = socket.socket(_FAMILIES[version], _KINDS[attempt.protocol], _PROTOCOLS[attempt.protocol])
    made.setblocking(False)
    made.bind((attempt.source, attempt.source_port))
    return made


def _begin(client: socket.socket, attempt: Attempt, number: int) -> None:
    with suppress(BlockingIOError):
        client.connect((attempt.destination, attempt.port))
    if client.type == socket.SOCK_DGRAM:
        with suppress(PermissionError, ConnectionRefusedError):  # dropped or refused before it has left
            client.send(_NUMBER.pack(number))


def _connected(client: socket.socket, number: int) -> Iterator[tuple[int, Seen]]:
    """Tell who has accepted which attempt it was, or see that nobody has."""
    error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        assert error in _REFUSALS, errno.errorcode[error]
        yield number, Seen(verdict="REJECT")
        return
    with suppress(OSError):  # told already
        client.send(_NUMBER.pack(number))
        client.shutdown(socket.SHUT_WR)


def _refusal(client: socket.socket) -> str:
    error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert error in _REFUSALS, errno.errorcode.get(error)
    return "REJECT"


def _received(listening: socket.socket, version: int) -> tuple[int, Seen]:
    """The number of a datagram, where it has come to, and from whom."""
    content, details, _, (client, *_) = listening.recvmsg(100, 200)
    information = next(data for level, kind, data in details if (level, kind) in ((0, 8), (41, 50)))
    if version == 4:
        address = socket.inet_ntoa(struct.unpack("I4s4s", information)[2])
    else:
        address = socket.inet_ntop(socket.AF_INET6, information[:16])
    return _NUMBER.unpack(content)[0], _accepted((address, listening.getsockname()[1]), client)


def _accepted(where: tuple[str, int], client: str) -> Seen:
    return Seen(verdict="ACCEPT", endpoint=str(Endpoint("", where[0], where[1])), client=client)


@contextmanager
def open_corpus_labs() -> Iterator[dict[int, CorpusLab]]:
    """The lab by IP version, removed at the end."""
    with ExitStack() as stack:
        node, pods, outside = (stack.enter_context(namespace()) for _ in range(3))
        _forward(node)
        for machine in (pods, outside):
            _send_everything_out(machine)
        _link(node, "eth0", outside, {version: (NODE[version], ROUTER[version]) for version in (4, 6)})
        for device in POD_INTERFACES:
            _link(node, device, pods, POD_ENDS[device])
        for version in (4, 6):
            node.exec("ip", f"-{version}", "route", "add", "default", "via", ROUTER[version])
            outside.exec("ip", f"-{version}", "route", "add", "default", "via", NODE[version], "table", _OWN_TABLE)
        yield {version: CorpusLab(version, node, pods, outside) for version in (4, 6)}


def _forward(node: Namespace) -> None:
    for value, keys in {
        "1": ("ipv4/ip_forward", "ipv4/conf/all/route_localnet", "ipv6/conf/all/forwarding"),
        "0": (
            *(f"ipv4/conf/{which}/{key}" for which in ("all", "default") for key in ("rp_filter", "send_redirects")),
            *("ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"),
        ),
    }.items():
        node.exec("tee", *(f"/proc/sys/net/{key}" for key in keys), stdin=f"{value}\n")


def _send_everything_out(machine: Namespace) -> None:
    """Have a machine send what is for its own addresses to the node, and take such packets from there."""
    for version in ("-4", "-6"):
        machine.exec("ip", version, "rule", "add", "pref", "10", "iif", "lo", "lookup", _OWN_TABLE)
        machine.exec("ip", version, "rule", "add", "pref", "20", "lookup", "local")
        machine.exec("ip", version, "rule", "del", "pref", "0")
    keys = (f"conf/{which}/{key}" for which in ("all", "default") for key in ("accept_local", "rp_filter"))
    for key in keys:
        machine.exec("tee", f"/proc/sys/net/ipv4/{key}", stdin="1\n" if key.endswith("accept_local") else "0\n")


def _link(node: Namespace, device: str, machine: Namespace, ends: Mapping[int, tuple[str, str]]) -> None:
    """Both ends are told of each other, since rules could drop what asks for neighbours."""
    hardware = _HARDWARE_ADDRESSES[device]
    peer = ("peer", "name", device, "address", hardware[1], "netns", machine.name)
    node.exec("ip", "link", "add", device, "address", hardware[0], "type", "veth", *peer)
    for its, own, other in ((node, 0, 1), (machine, 1, 0)):
        for version, addresses in ends.items():
            _assign(its, f"{addresses[own]}/{LENGTH[version]}", device)
        its.exec("ip", "link", "set", device, "up")
        for addresses in ends.values():
            known = (addresses[other], "lladdr", hardware[other], "dev", device, "nud", "permanent")
            its.exec("ip", "neighbour", "replace", *known)


def _assign(machine: Namespace, address: str, device: str) -> None:
    machine.exec("ip", "address", "add", address, "dev", device, *(("nodad",) if ":" in address else ()))
