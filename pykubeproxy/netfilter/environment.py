"""What a trace needs to know of the node besides its rules: addresses, routes, and remembered clients."""

import msgspec

from pykubeproxy.model.ip import CIDR, IP, Family, parse_cidr, parse_ip
from pykubeproxy.model.route import Route


class LocalAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of the node itself: mostly a single one, sometimes a whole network (127.0.0.0/8, AnyIP).

    `interface` is the interface that holds it, `broadcast` the broadcast address of its network, where known.
    """

    cidr: CIDR
    interface: str | None = None
    broadcast: IP | None = None


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The node, as far as it is known. None means unknown: what depends on it cannot be decided.

    `addresses`: the node's own addresses, of any family; loopback need not be listed. `possibly_local` are
    addresses that may be the node's although they are not listed.
    `routes`: its routing table, of any family; of equal prefixes the first counts. If those of the kind `local` are
    among them, their destinations are addresses of the node as well.
    `forwarding`: whether it forwards packets (`net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding`).
    `route_localnet`: whether packets from 127.0.0.0/8 may leave it (`net.ipv4.conf.all.route_localnet`).
    `seen_at`: the endpoint (`ip:port`) that the client was last sent to, within the time of its session affinity; None
    for a client that was not seen before. `recent` names further lists of `-m recent` that hold the client's address.
    """

    addresses: tuple[LocalAddress, ...] | None = None
    possibly_local: frozenset[IP] = frozenset()
    routes: tuple[Route, ...] | None = None
    forwarding: bool = True
    route_localnet: bool = True
    seen_at: str | None = None
    recent: frozenset[str] = frozenset()


def local_address(text: str, interface: str | None = None) -> LocalAddress:
    """A LocalAddress from `10.0.0.1`, from `10.0.0.1/24` as interfaces have it, or from a network (`127.0.0.0/8`).

    A network (no host bits set) is local as a whole; with host bits set, the one address is. Raises ValueError.
    """
    written, slash, length = text.partition("/")
    address = parse_ip(written)
    if address is None:
        message = f"{text!r} is neither an IP address nor a network"
        raise ValueError(message)
    network = parse_cidr(text if slash else f"{text}/{address.family.bits}")
    if network is None:
        message = f"{text!r}: /{length} is not a prefix length"
        raise ValueError(message)
    if first_number(network) == address.number:
        return LocalAddress(cidr=network, interface=interface)
    single = CIDR(address.family, f"{address.text}/{address.family.bits}", address.family.bits)
    return LocalAddress(cidr=single, interface=interface, broadcast=_broadcast(network))


def first_number(network: CIDR) -> int:
    """The network's first address as a number."""
    address = parse_ip(network.text.partition("/")[0])
    assert address is not None
    return address.number


def _broadcast(network: CIDR) -> IP | None:
    """The last address; networks of one or two addresses have none (RFC 3021), IPv6 has none at all."""
    if network.family is Family.IPV6 or network.prefix > 30:
        return None
    last = first_number(network) | ((1 << (32 - network.prefix)) - 1)
    return parse_ip(".".join(str(last >> shift & 0xFF) for shift in (24, 16, 8, 0)))
