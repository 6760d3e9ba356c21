"""How ctnetlink writes connections: what flows need of `linux/netfilter/nfnetlink_conntrack.h`.

A connection has two directions, the original and the reply, each with addresses and ports. The address that the
client used is the original's destination; the endpoint is the reply's source, a different address after DNAT.
"""

import sys

from pykubeproxy.flows.stale import Flow, SocketAddress
from pykubeproxy.host.netlink import attribute, nested, parse_attributes
from pykubeproxy.host.nfnetlink import attributes_of, nfgenmsg
from pykubeproxy.model.ip import Family
from pykubeproxy.model.service import Protocol

# Types of messages: the subsystem in the upper byte, what is to be done in the lower.
NEW = 0x0100
GET = 0x0101
DELETE = 0x0102

# Attributes of a connection.
ORIGINAL = 1
REPLY = 2
_ID = 12
_ZONE = 18
_FILTER = 25

# Attributes of a direction, and of its two parts.
_ADDRESSES, _PROTOCOL = 1, 2
_SOURCE = {Family.IPV4: 1, Family.IPV6: 3}
_DESTINATION = {Family.IPV4: 2, Family.IPV6: 4}
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3

# What a filter compares in each direction: a set of flags.
_FILTER_ORIGINAL, _FILTER_REPLY = 1, 2
_PROTOCOL_NUMBER = 1 << 3

_NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17}

_FIXED_BYTES = len(nfgenmsg())


def only(family: Family, protocol: Protocol) -> bytes:
    """A request for the connections of one family, from which the kernel is to leave out all but one protocol.

    Linux before 5.8 has no filters, ignores this one, and sends all connections.
    """
    wanted = nested(ORIGINAL, nested(_PROTOCOL, attribute(_NUMBER, bytes([_NUMBERS[protocol]]))))
    compared = attribute(_FILTER_ORIGINAL, _PROTOCOL_NUMBER.to_bytes(4, sys.byteorder))
    return nfgenmsg(family.address_family) + wanted + nested(_FILTER, compared, attribute(_FILTER_REPLY, bytes(4)))


def direction(kind: int, source: SocketAddress, destination: SocketAddress, protocol: int) -> bytes:
    """One direction of a connection, ORIGINAL or REPLY, as the kernel writes it."""
    family = Family.IPV4 if len(source) == len(b"addrpp") else Family.IPV6
    addresses = attribute(_SOURCE[family], source[:-2]), attribute(_DESTINATION[family], destination[:-2])
    ports = attribute(_SOURCE_PORT, source[-2:]), attribute(_DESTINATION_PORT, destination[-2:])
    return nested(
        kind, nested(_ADDRESSES, *addresses), nested(_PROTOCOL, attribute(_NUMBER, bytes([protocol])), *ports)
    )


def identity(entry: bytes) -> bytes:
    """A request that means the very connection which the message `entry` describes.

    The id distinguishes it from a newer connection with the same addresses, which must not be deleted instead.
    """
    attributes = attributes_of(entry)
    # Without the original direction, the kernel would take a deletion to mean the whole table: better a KeyError.
    named = [nested(ORIGINAL, attributes[ORIGINAL])]
    named += [attribute(kind, attributes[kind]) for kind in (_ZONE, _ID) if kind in attributes]
    return entry[:_FIXED_BYTES] + b"".join(named)


class FlowReader:
    """Reads the flows of one family and protocol out of messages.

    The kernel writes both directions first and always alike, so that everything of interest is at a fixed place.
    What lies between is compared as one number, which is many times faster than to follow the attributes one by one.
    That is left for the rest, such as connections in a zone.
    """

    def __init__(self, family: Family, protocol: Protocol) -> None:
        self._family = family
        self._protocol_number = number = _NUMBERS[protocol]
        width = family.bits // 8
        # A connection spelled with letters shows where each field is; each letter occurs in one field only.
        client, port, service, endpoint = b"c" * (width + 2), b"PP", b"S" * width, b"E" * width
        sample = direction(ORIGINAL, client, service + port, number)
        sample += direction(REPLY, endpoint + b"QQ", client, number)
        self._service = _slice_of(service, sample)
        self._service_port = _slice_of(port, sample)
        self._endpoint = _slice_of(endpoint, sample)
        self._endpoint_port = _slice_of(b"QQ", sample)
        self._whole = slice(_FIXED_BYTES, _FIXED_BYTES + len(sample))
        # Two connections that differ in every bit of every field: what they share is the layout, and the protocol.
        zeros, ones = bytes(width + 2), b"\xff" * (width + 2)
        blank, full = (
            _number(direction(ORIGINAL, x, x, number) + direction(REPLY, x, x, number)) for x in (zeros, ones)
        )
        self._mask = ~(blank ^ full)
        self._layout = blank & self._mask

    def read(self, entry: bytes) -> Flow | None:
        """The flow that the message `entry` describes; None if it is of another protocol, or lacks a field."""
        if _number(entry[self._whole]) & self._mask != self._layout:
            try:
                return self._follow(entry)
            except (KeyError, IndexError):
                return None
        return Flow(
            entry[self._service] + entry[self._service_port], entry[self._endpoint] + entry[self._endpoint_port], entry
        )

    def _follow(self, entry: bytes) -> Flow | None:
        """Read a flow by way of the attributes of its message, in whatever order they come."""
        connection = attributes_of(entry)
        original, reply = parse_attributes(connection[ORIGINAL]), parse_attributes(connection[REPLY])
        protocol, replying = parse_attributes(original[_PROTOCOL]), parse_attributes(reply[_PROTOCOL])
        if protocol[_NUMBER][0] != self._protocol_number:
            return None
        destination = parse_attributes(original[_ADDRESSES])[_DESTINATION[self._family]]
        answering = parse_attributes(reply[_ADDRESSES])[_SOURCE[self._family]]
        return Flow(destination + protocol[_DESTINATION_PORT], answering + replying[_SOURCE_PORT], entry)


def _slice_of(field: bytes, sample: bytes) -> slice:
    start = _FIXED_BYTES + sample.index(field)
    return slice(start, start + len(field))


def _number(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)
