"""Counters that the kernel keeps by name, and that rules count in (`-m nfacct --nfacct-name NAME`).

A counter exists until it is deleted, which the kernel refuses while a rule counts in it; a rule that names a counter
that does not exist is refused. Source: `linux/netfilter/nfnetlink_acct.h`.
"""

import errno
import socket

from pykubeproxy.host.netlink import NETFILTER, Netlink, NetlinkError
from pykubeproxy.host.nfnetlink import attributes_of, big_endian, nfgenmsg, text_attribute

_NEW, _GET = 0x0700, 0x0701
_NAME, _PACKETS = 1, 2
_CREATE_ONLY = 0x0600


def ensure(name: str) -> None:
    """Create a counter if it does not exist yet. Raises NetlinkError if the kernel does not support counters."""
    with Netlink(NETFILTER) as netlink:
        for refusal in netlink.batch(f"make the counter {name}", _NEW, [_body(name)], _CREATE_ONLY):
            if refusal.number != errno.EEXIST:
                raise NetlinkError(f"make the counter {name}", refusal.number)


def packets(name: str) -> int | None:
    """How many packets a counter has counted; None if there is no such counter, or it cannot be read."""
    try:
        with Netlink(NETFILTER) as netlink:
            body = netlink.ask(f"read the counter {name}", _GET, _body(name)).body
    except NetlinkError:
        return None
    counted = attributes_of(body).get(_PACKETS)
    return None if counted is None else big_endian(counted)


def _body(name: str) -> bytes:
    return nfgenmsg(socket.AF_NETLINK) + text_attribute(_NAME, name)
