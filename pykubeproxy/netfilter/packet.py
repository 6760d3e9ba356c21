"""The packet that a trace follows: its headers, and where it comes from."""

from enum import StrEnum

import msgspec

from pykubeproxy.model.ip import IP, Family


class ConnectionState(StrEnum):
    """The state that conntrack gives a packet, as `--ctstate` spells it."""

    NEW = "NEW"
    ESTABLISHED = "ESTABLISHED"
    RELATED = "RELATED"
    INVALID = "INVALID"
    UNTRACKED = "UNTRACKED"


# The state of a packet that belongs to no connection; None before conntrack has seen it.
WITHOUT_CONNECTION = (None, ConnectionState.INVALID, ConnectionState.UNTRACKED)

# Protocol names that iptables-save prints, and their numbers (IANA; the names are those of /etc/protocols).
PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "ipencap": 4,
    "ipip": 4,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "gre": 47,
    "esp": 50,
    "ipv6-crypt": 50,
    "ah": 51,
    "ipv6-auth": 51,
    "icmpv6": 58,
    "ipv6-icmp": 58,
    "ospf": 89,
    "vrrp": 112,
    "sctp": 132,
    "ipv6-mh": 135,
    "mobility-header": 135,
    "udplite": 136,
}
WITH_PORTS = frozenset(PROTOCOLS[name] for name in ("tcp", "udp", "dccp", "sctp", "udplite"))


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """The packet that a trace follows: by default the first one of a TCP connection, which arrives from elsewhere.

    `from_node` says that a process of this node (or a pod with `hostNetwork`) sends it, so that it begins in OUTPUT.
    A field that is None is not known, and a rule that asks for it cannot be decided. `out_interface` matters only
    where the node's routes are not known.
    Raises ValueError if source and destination are of different families.
    """

    source: IP
    destination: IP
    protocol: str = "tcp"
    source_port: int | None = None
    destination_port: int | None = None
    from_node: bool = False
    in_interface: str | None = None
    out_interface: str | None = None
    mark: int = 0
    ctstate: ConnectionState = ConnectionState.NEW
    tcp_flags: frozenset[str] | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    uid: int | None = None
    gid: int | None = None

    def __post_init__(self) -> None:
        if self.source.family is not self.destination.family:
            message = f"{self.source.text} and {self.destination.text} are not of the same IP family"
            raise ValueError(message)
        if protocol_number(self.protocol) is None:
            message = f"{self.protocol!r} is not an IP protocol: use a name such as tcp, udp or sctp, or a number"
            raise ValueError(message)

    @property
    def family(self) -> Family:
        """The family of both addresses."""
        return self.destination.family

    @property
    def protocol_number(self) -> int:
        """The protocol as in the IP header."""
        number = protocol_number(self.protocol)
        assert number is not None
        return number

    @property
    def flags(self) -> frozenset[str] | None:
        """TCP flags; a new connection begins with a lone SYN (RFC 9293), nothing is known of later packets."""
        if self.tcp_flags is None and self.ctstate is ConnectionState.NEW:
            return frozenset({"SYN"})
        return self.tcp_flags


def protocol_number(name: str) -> int | None:
    """The number of a protocol given by name or by number; None if there is none such."""
    lower = name.lower()
    if lower in PROTOCOLS:
        return PROTOCOLS[lower]
    return int(lower) if lower.isascii() and lower.isdigit() and int(lower) < 256 else None
