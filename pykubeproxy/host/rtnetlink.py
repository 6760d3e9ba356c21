"""Asking the kernel about interfaces and routes, and reading its answers: what rtnetlink(7) messages have in common."""

import socket
import struct
import sys
from collections.abc import Iterator

from pykubeproxy.host.netlink import ROUTE, Netlink, NetlinkError, parse_attributes
from pykubeproxy.model.ip import IP, Family, parse_ip

Attributes = dict[int, bytes]


def dump(what: str, kind: int, fixed: struct.Struct) -> Iterator[tuple[tuple[int, ...], Attributes]]:
    """Ask for all objects of a kind; yield the fields of each one's `fixed` part, and its attributes.

    `what` is for the text of errors. Raises NetlinkError.
    """
    with Netlink(ROUTE) as netlink:
        messages = netlink.dump_all(what, kind, bytes(fixed.size))
    for message in messages:
        if len(message.body) >= fixed.size:
            yield fixed.unpack_from(message.body), parse_attributes(message.body, fixed.size)


def device_names() -> dict[int, str]:
    """The interfaces' names by index. Raises NetlinkError."""
    try:
        return dict(socket.if_nameindex())
    except OSError as error:
        raise NetlinkError("list interfaces", error.errno) from None


def to_ip(packed: bytes | None) -> IP | None:
    """An address of 4 or 16 bytes; None for anything else."""
    if packed is None:
        return None
    family = next((family for family in Family if family.bits == 8 * len(packed)), None)
    return parse_ip(socket.inet_ntop(family.address_family, packed)) if family is not None else None


def to_number(data: bytes | None, default: int = 0) -> int:
    """An unsigned number in the machine's byte order; `default` if it is missing."""
    return default if data is None else int.from_bytes(data, sys.byteorder)
