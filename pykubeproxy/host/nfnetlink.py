"""Messages of netfilter over netlink: what those about rules, sets, counters and connections have in common.

Source: `linux/netfilter/nfnetlink.h`.
"""

from pykubeproxy.host.netlink import attribute, parse_attributes

_FIXED_BYTES = 4


def nfgenmsg(address_family: int = 0) -> bytes:
    """The fixed part of all messages of netfilter (struct nfgenmsg): an address family, 0 for none in particular."""
    return bytes([address_family, 0, 0, 0])


def text_attribute(kind: int, text: str) -> bytes:
    """One attribute that is a text, which ends in a zero byte."""
    return attribute(kind, f"{text}\0".encode())


def attributes_of(body: bytes) -> dict[int, bytes]:
    """The attributes in the body of a message of netfilter, which follow the fixed part: payload by type."""
    return parse_attributes(body, _FIXED_BYTES)


def text_of(payload: bytes | None) -> str:
    """The text of an attribute; empty if there is none. Bytes that are not UTF-8 are shown as escapes."""
    return (payload or b"").rstrip(b"\0").decode(errors="backslashreplace")


def big_endian(payload: bytes | None, default: int = 0) -> int:
    """The unsigned number of an attribute of netfilter, which writes the highest byte first; `default` if missing."""
    return default if payload is None else int.from_bytes(payload, "big")
