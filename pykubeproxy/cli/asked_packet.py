"""The packet that `trace` is asked about: from the words on the command line to a Packet."""

import re

import click
import msgspec

from pykubeproxy.model.ip import IP, Family, parse_ip
from pykubeproxy.rules.ruleset import Ruleset
from pykubeproxy.trace import Packet
from pykubeproxy.trace.naming import UnknownService, find_service

NODE = "node"
PROTOCOLS = ("tcp", "udp", "sctp")

_ADDRESS_PORT = re.compile(r"(?:\[([^\]]+)\]|([^\[\]:]+)):(\d+)(?:/(\w+))?")
_SERVICE = re.compile(r"[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9]*(?::[a-z0-9][-a-z0-9]*)?")

# Stands for a node's address that nobody has told (RFC 5737, RFC 3849: reserved for documentation).
UNTOLD = {Family.IPV4: IP(Family.IPV4, "192.0.2.1"), Family.IPV6: IP(Family.IPV6, "2001:db8::1")}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a packet is sent; `service` is the name it was asked by, if it was."""

    address: IP
    port: int
    protocol: str
    service: str = ""


def family_asked(source: str, target: str) -> Family | None:
    """The family that an address on the command line decides; None if both ends are names."""
    for text in (source, target):
        found = _ADDRESS_PORT.fullmatch(text)
        ip = parse_ip((found[1] or found[2]) if found else text)
        if ip is not None:
            return ip.family
    return None


def read_target(text: str, ruleset: Ruleset) -> Target:
    """`IP:port[/protocol]`, `[IPv6]:port[/protocol]` or `namespace/name[:port]`. Raises click.UsageError."""
    found = _ADDRESS_PORT.fullmatch(text)
    if found:
        return _read_address(text, found)
    if _SERVICE.fullmatch(text):
        try:
            service = find_service(ruleset, text)
        except UnknownService as problem:
            raise click.UsageError(f"--to {text}: {problem}") from None
        address = parse_ip(service.address)
        assert address is not None
        return Target(address=address, port=service.port, protocol=service.protocol, service=service.title)
    raise click.UsageError(
        f"--to {text}: neither IP:port, such as 10.96.0.10:53/udp or [fd00::a]:53, nor a Service as namespace/name:port"
    )


def read_source(text: str, target: Target, node_ips: tuple[IP, ...]) -> tuple[IP, bool]:
    """The client's address, and whether it is the node itself. Raises click.UsageError."""
    if text == NODE:
        own = next((ip for ip in node_ips if ip.family is target.address.family), UNTOLD[target.address.family])
        return own, True
    ip = parse_ip(text)
    if ip is None:
        raise click.UsageError(f"--from {text}: neither an IP address nor the word node")
    if ip.family is not target.address.family:
        raise click.UsageError(
            f"--from {text} is {ip.family}, but --to {target.address.text} is {target.address.family}: "
            "both ends of a packet are of one family"
        )
    return ip, False


def make_packet(source: tuple[IP, bool], target: Target, in_interface: str | None) -> Packet:
    """The first packet of a connection."""
    address, is_node = source
    return Packet(
        source=address,
        destination=target.address,
        protocol=target.protocol,
        destination_port=target.port,
        from_node=is_node,
        in_interface=in_interface,
    )


def _read_address(text: str, found: "re.Match[str]") -> Target:
    address = parse_ip(found[1] or found[2])
    protocol = (found[4] or "tcp").lower()
    if address is None:
        raise click.UsageError(f"--to {text}: {found[1] or found[2]!r} is not an IP address")
    if protocol not in PROTOCOLS:
        raise click.UsageError(f"--to {text}: {found[4]!r} is not one of {', '.join(PROTOCOLS)}")
    if not 1 <= int(found[3]) <= 65535:
        raise click.UsageError(f"--to {text}: port {found[3]} is not within 1 to 65535")
    return Target(address=address, port=int(found[3]), protocol=protocol)
