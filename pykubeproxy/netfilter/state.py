"""What the kernel knows of a packet at one moment of its way, and what stays unchanged all the way."""

import ipaddress

import msgspec

from pykubeproxy.model.ip import Family
from pykubeproxy.netfilter.environment import Environment
from pykubeproxy.netfilter.packet import WITH_PORTS, ConnectionState, Packet
from pykubeproxy.netfilter.routing import AddressTypes, Router

# The netfilter hooks.
PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The packet at one moment. Addresses are numbers. None is what is not known.

    An interface is "" where the packet has none at this hook. `tracking` is None in the raw table, before conntrack
    has seen the packet. `recent` are the lists of `-m recent` that hold the source. `looped`: it came in by `lo`.
    `gateway` is what routing chose, None for a neighbour.
    """

    hook: str
    source: int | None
    destination: int
    source_port: int | None
    destination_port: int | None
    in_interface: str | None
    out_interface: str | None
    mark: int | None
    connection_mark: int | None
    tracking: ConnectionState | None = None
    dnat: str | None = None
    snat: str | None = None
    masquerade: bool = False
    recent: frozenset[str] = frozenset()
    looped: bool = False
    gateway: str | None = None

    def but(self, **changes: object) -> "State":
        """This state with some fields changed."""
        return msgspec.structs.replace(self, **changes)


class TraceContext:
    """What one trace is about: the packet as it was sent, and the node around it.

    `asked` collects the lists of `-m recent` that rules have looked into.
    """

    def __init__(self, packet: Packet, environment: Environment) -> None:
        family = packet.family
        self.packet = packet
        self.family = family
        self.protocol = packet.protocol_number
        self.source = packet.source.number
        self.destination = packet.destination.number
        # What a process of the node sends comes from an address of the node.
        self.address_types = AddressTypes(family, environment, packet.source if packet.from_node else None)
        self.router = Router(family, environment)
        self.asked: set[str] = set()

    def start(self, recent: frozenset[str]) -> State:
        """The packet before its first hook; `recent` are the lists of `-m recent` that hold its source."""
        packet = self.packet
        return State(
            hook=OUTPUT if packet.from_node else PREROUTING,
            source=self.source,
            destination=self.destination,
            source_port=packet.source_port,
            destination_port=packet.destination_port,
            in_interface="" if packet.from_node else packet.in_interface,
            out_interface="",
            mark=packet.mark,
            connection_mark=0 if packet.ctstate is ConnectionState.NEW else None,
            recent=recent,
        )

    def address_text(self, number: int) -> str:
        """An address as people write it."""
        return str(ipaddress.IPv4Address(number) if self.family is Family.IPV4 else ipaddress.IPv6Address(number))

    def endpoint_text(self, address: str, port: object | None) -> str:
        """`10.244.0.5:8080`, `[fd00::5]:8080`; the address alone without a known port."""
        if port is None or self.protocol not in WITH_PORTS:
            return address
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def destination_text(self, state: State) -> str:
        """Where the packet is going at this moment."""
        return self.endpoint_text(self.address_text(state.destination), state.destination_port)
