"""The machine's own addresses, and whether it has IPv6 at all.

Source: rtnetlink(7), `linux/if_addr.h`; `docs/reference/lifecycle.md` sections 6 and 7.
"""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from pykubeproxy.host.routes import KernelRoute, kernel_routes
from pykubeproxy.host.rtnetlink import device_names, dump, to_ip, to_number
from pykubeproxy.model.ip import IP, Family

_GET_ADDRESSES = 22

# struct ifaddrmsg: address family, prefix length, flags, scope, index of the interface.
_FIXED = struct.Struct("=BBBBI")

# On a point-to-point link, the first of these is the other end's.
_ADDRESS, _LOCAL = 1, 2
_FLAGS = 8

_GLOBAL_SCOPE = 0

# Flags of a secondary (IPv4) or temporary (IPv6) address, of one that another machine has already (duplicate address
# detection failed), and of a deprecated one.
_UNSTEADY = 0x01 | 0x08 | 0x20


class InterfaceAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An address of an interface, in a network of `prefix` bits.

    `is_global` is False for loopback and link-local ones. `is_steady` is False for one that may change or go: a
    secondary, temporary, duplicate or deprecated address.
    """

    ip: IP
    prefix: int
    device: str
    is_global: bool = True
    is_steady: bool = True


def local_addresses() -> tuple[IP, ...]:
    """All addresses of all interfaces, loopback and link-local included, each once. Raises NetlinkError."""
    return tuple(dict.fromkeys(address.ip for address in interface_addresses()))


def default_node_ips(addresses: Sequence[InterfaceAddress]) -> tuple[IP, ...]:
    """The address to use as this machine's node IP, per family, IPv4 first; none where it has no global one.

    `addresses` are those of its interfaces. Used if there is no Node object. Reads all routes, which takes a
    second for every 100,000 of them. Raises NetlinkError.
    """
    routes = kernel_routes()
    found = (node_ip(family, addresses, routes) for family in Family)
    return tuple(ip for ip in found if ip is not None)


def node_ip(family: Family, addresses: Sequence[InterfaceAddress], routes: Iterable[KernelRoute]) -> IP | None:
    """The address that traffic over the default route comes from; without one, the first global address there is.

    `routes` come in the order of preference.
    """
    candidates = [address for address in addresses if address.ip.family is family and address.is_global]
    candidates.sort(key=lambda address: not address.is_steady)
    for known in routes:
        if not known.is_default or known.route.destination.family is not family:
            continue
        if known.source is not None:
            return known.source
        for address in candidates:
            if address.device == known.route.device:
                return address.ip
    return candidates[0].ip if candidates else None


def interface_addresses() -> tuple[InterfaceAddress, ...]:
    """The addresses of all interfaces, in the kernel's order. Raises NetlinkError."""
    devices = device_names()
    found = []
    for (_, prefix, flags, scope, index), attributes in dump("list addresses", _GET_ADDRESSES, _FIXED):
        ip = to_ip(attributes.get(_LOCAL, attributes.get(_ADDRESS)))
        if ip is not None:
            address = InterfaceAddress(
                ip=ip,
                prefix=prefix,
                device=devices.get(index, ""),
                is_global=scope == _GLOBAL_SCOPE and not ip.is_loopback,
                is_steady=not to_number(attributes.get(_FLAGS), flags) & _UNSTEADY,
            )
            found.append(address)
    return tuple(found)


def why_no_ipv6(proc: Path = Path("/proc")) -> str | None:
    """Why the kernel does no IPv6, with the network settings of the calling thread; None if it does."""
    if not (proc / "thread-self/net/if_inet6").exists():
        return "the kernel has no IPv6: there is no /proc/net/if_inet6"
    try:
        is_disabled = (proc / "sys/net/ipv6/conf/all/disable_ipv6").read_text().strip() == "1"
    except OSError:
        return None
    return "IPv6 is switched off: net.ipv6.conf.all.disable_ipv6 is 1" if is_disabled else None
