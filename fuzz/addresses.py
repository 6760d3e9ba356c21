"""Addresses as the API's consumers read them, told a second time: none of the project's code is used here.

Kubernetes reads addresses as Go did before 1.17 (`docs/reference/services.md` section 6): leading zeros are decimal, an
IPv4-mapped IPv6 address is an IPv4 address, zones are refused.
"""

from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_DIGITS = frozenset("0123456789")
_MAPPED = ip_network("::ffff:0:0/96")


def address(text: object) -> Address | None:
    """The address that a text means; None if it means none."""
    if not isinstance(text, str) or not text.isascii():
        return None
    dot, colon = text.find("."), text.find(":")
    if dot >= 0 and (colon < 0 or dot < colon):
        return _dotted(text)
    return _colons(text) if colon >= 0 else None


def network(text: object) -> Network | None:
    """The network that a text means, host bits masked off; None if it means none."""
    if not isinstance(text, str):
        return None
    written, slash, length = text.partition("/")
    base = address(written)
    if base is None or not slash or not _is_decimal(length):
        return None
    bits = int(length)
    if ":" not in written:
        return ip_network((int(base), bits), strict=False) if bits <= 32 else None
    if bits > 128:
        return None
    number = int(base) | int(_MAPPED.network_address) if base.version == 4 else int(base)
    wide = IPv6Network((number, bits), strict=False)
    if base.version == 4 and bits >= 96:
        return IPv4Network((int(base), bits - 96), strict=False)
    return wide


def host_port(where: str, port: int) -> str:
    """`ip:port`, with brackets where the address has colons itself."""
    return f"[{where}]:{port}" if ":" in where else f"{where}:{port}"


def known(text: str) -> Address:
    """An address that is one for certain, written as everybody writes it."""
    return ip_address(text)


def _dotted(text: str) -> IPv4Address | None:
    groups = text.split(".")
    if len(groups) != 4 or not all(_is_decimal(group) and int(group) < 256 for group in groups):
        return None
    return IPv4Address(bytes(map(int, groups)))


def _colons(text: str) -> Address | None:
    head, _, tail = text.rpartition(":")
    if "." in tail:
        quad = _dotted(tail)
        if quad is None:
            return None
        text = f"{head}:{int(quad) >> 16:x}:{int(quad) % 65536:x}"
    try:
        # Leading zeros change nothing, however many there are.
        found = IPv6Address(":".join(group.lstrip("0") or group[:1] for group in text.split(":")))
    except AddressValueError:
        return None
    if found.scope_id is not None:
        return None
    return found.ipv4_mapped or found


def _is_decimal(text: str) -> bool:
    return 0 < len(text) <= 32 and set(text) <= _DIGITS
