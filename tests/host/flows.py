"""Putting connections into a namespace's table, without traffic."""

from collections.abc import Iterable

from pykubeproxy.flows.stale import pack_socket
from pykubeproxy.host.conntrack_wire import NEW, ORIGINAL, REPLY, direction
from pykubeproxy.host.netlink import NETFILTER, Netlink, attribute
from pykubeproxy.host.nfnetlink import nfgenmsg
from pykubeproxy.model.ip import Family

TCP, UDP = 6, 17

# Flags of a request that must not find the object already there.
CREATE_EXCLUSIVELY = 0x600

_STATUS, _TIMEOUT, _ZONE = 3, 7, 18
_CONFIRMED_AND_REPLIED_TO = 0x0E


def packed(text: str) -> bytes:
    """`ip:port` or `[ip]:port` as packets hold it."""
    address, _, port = text.rpartition(":")
    return pack_socket(address.strip("[]"), int(port))


def connection(client: str, destination: str, answered_by: str, protocol: int = UDP, zone: int = 0) -> bytes:
    """The request that puts one connection into the table for an hour."""
    source, target, answering = packed(client), packed(destination), packed(answered_by)
    family = Family.IPV4 if len(source) == 6 else Family.IPV6
    parts = [
        nfgenmsg(family.address_family),
        direction(ORIGINAL, source, target, protocol),
        direction(REPLY, answering, source, protocol),
        attribute(_TIMEOUT, (3600).to_bytes(4, "big")),
        attribute(_STATUS, _CONFIRMED_AND_REPLIED_TO.to_bytes(4, "big")),
    ]
    if zone:
        parts.append(attribute(_ZONE, zone.to_bytes(2, "big")))
    return b"".join(parts)


def insert(connections: Iterable[bytes]) -> None:
    """Put connections into the table of the calling thread's namespace."""
    with Netlink(NETFILTER) as netlink:
        refusals = netlink.batch("insert connections", NEW, list(connections), CREATE_EXCLUSIVELY)
    assert not refusals, refusals[0]
